import assert from 'node:assert/strict'
import { backOffMs, untilReached } from '../../src/cli/back-off.js'
import type { Log } from '../../src/cli/log.js'
import { StoreUnavailable, UsageError } from '../../src/lock/error.js'
import { ranMs } from '../support/machine-time.js'

function recorded(): { log: Log; lines: string[] } {
  const lines: string[] = []
  const write = (text: string) => void lines.push(text)
  return { log: { debug: write, info: write, warn: write, error: write, setLevel: write }, lines }
}

describe('trying again while a server is away', () => {
  it('pauses 0.5 s, doubling to 10 s, and up to half less', () => {
    assert.deepEqual(
      [1, 2, 3, 5, 6, 99].map((failures) => backOffMs(failures, 0)),
      [500, 1000, 2000, 8000, 10_000, 10_000],
    )
    assert.equal(backOffMs(1, 1), 250)
  })

  it('says at once that the server is away, and when it is back', async () => {
    const { log, lines } = recorded()
    let tries = 0
    const reached = await untilReached(
      async () => {
        if (++tries === 1) throw new StoreUnavailable('127.0.0.1:6379', 'ECONNREFUSED')
        return 'there'
      },
      { log, signal: new AbortController().signal },
    )
    assert.equal(reached, 'there')
    assert.match(lines[0] ?? '', /127\.0\.0\.1:6379 cannot be reached: ECONNREFUSED; trying again in /)
    assert.match(lines[1] ?? '', /the server answers after /)
  })

  it('does not try again what can never succeed', async () => {
    const { log } = recorded()
    let tries = 0
    const step = async () => {
      tries++
      throw new UsageError('no such thing')
    }
    await assert.rejects(untilReached(step, { log, signal: new AbortController().signal }), UsageError)
    assert.equal(tries, 1)
  })

  it('ends in the middle of a pause when it is told to', async () => {
    const { log } = recorded()
    const stopping = new AbortController()
    const step = async () => {
      queueMicrotask(() => stopping.abort())
      throw new StoreUnavailable('h:1', 'away')
    }
    const startedNs = process.hrtime.bigint()
    assert.equal(await untilReached(step, { log, signal: stopping.signal }), undefined)
    assert.ok(ranMs(startedNs) < 240)
  })
})
