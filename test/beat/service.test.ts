import assert from 'node:assert/strict'
import { every } from '../../src/beat/every.js'
import { BeatService } from '../../src/beat/service.js'
import { StoreUnavailable, UsageError } from '../../src/lock/error.js'
import { until } from '../support/until.js'
import { BeatBench, entryOf } from './beat-bench.js'

describe('the beat service', () => {
  it('ticks as often as the scheduler asks, until it is stopped', async () => {
    const bench = new BeatBench(Date.now())
    const wall = () => {
      bench.now = Date.now()
      return bench.now
    }
    const scheduler = await bench.beat([entryOf('quick', every('50ms'))], { now: wall })
    const stop = new AbortController()
    const running = new BeatService({ scheduler, emit: bench.emit }).start(stop.signal)
    await until(() => bench.published.length >= 3, { timeoutMs: 5_000, what: 'three slots' })
    stop.abort()
    await running
    for (const { nominal } of bench.published) assert.equal(nominal % 50, 0)
  })

  it('ends at once when it is stopped in its sleep, and begins nothing when it was stopped before', async () => {
    const bench = new BeatBench()
    let ticks = 0
    const scheduler = { start: async () => {}, tick: async () => 60_000 * ++ticks }
    const stop = new AbortController()
    const running = new BeatService({ scheduler, emit: bench.emit }).start(stop.signal)
    await until(() => ticks === 1)
    stop.abort()
    await running
    await new BeatService({ scheduler, emit: bench.emit }).start(stop.signal)
    assert.equal(ticks, 1)
  })

  it('[P24] survives a server that cannot be reached, at the start too, and tells once that it is gone and back', async () => {
    const bench = new BeatBench()
    const steps: string[] = []
    const down = (step: string, times: number) => {
      steps.push(step)
      if (steps.filter((each) => each === step).length <= times) throw new StoreUnavailable('db:5432', 'refused')
    }
    const scheduler = {
      start: async () => down('start', 2),
      tick: async () => {
        down('tick', 0)
        return 5
      },
    }
    const stop = new AbortController()
    const running = new BeatService({ scheduler, emit: bench.emit }).start(stop.signal)
    await until(() => steps.filter((each) => each === 'tick').length >= 3)
    stop.abort()
    await running
    assert.deepEqual(steps.slice(0, 6), ['start', 'start', 'start', 'tick', 'tick', 'tick'])
    const [trouble, ...more] = bench.events['beat:trouble']
    assert.ok(trouble?.error instanceof StoreUnavailable)
    assert.deepEqual([trouble.entry, trouble.retryInMs, more.length], [null, 250, 0])
    assert.equal(bench.events['beat:recovered'].length, 1)
    const afterMs = bench.events['beat:recovered'][0]?.afterMs ?? 0
    assert.ok(afterMs >= 370 && afterMs < 5_000, `two retries, the second after twice as long: ${afterMs}`)
  })

  it('ends with what its user has to mend', async () => {
    const bench = new BeatBench()
    const scheduler = { start: () => Promise.reject(new UsageError('no such schema.')), tick: async () => 0 }
    await assert.rejects(
      new BeatService({ scheduler, emit: bench.emit }).start(new AbortController().signal),
      UsageError,
    )
  })
})
