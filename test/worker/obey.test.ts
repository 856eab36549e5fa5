import assert from 'node:assert/strict'
import { UsageError } from '../../src/index.js'
import { createEmitter } from '../../src/lock/emit.js'
import type { AppEvents } from '../../src/task-base/event.js'
import type { WorkerCommand } from '../../src/task-base/worker-command.js'
import type { Inspected } from '../../src/worker/inspect.js'
import { obeyOrders } from '../../src/worker/obey.js'
import { until } from '../support/until.js'

/** A worker whose changes of size end when they are let. */
function worker() {
  const sizes: number[] = []
  const ends: (() => void)[] = []
  const capacity = {
    get size() {
      return 1 + sizes.length
    },
    resize: (size: number) => new Promise<void>((end) => void ends.push(() => end(void sizes.push(size)))),
  }
  const obey = obeyOrders({
    capacity,
    // A change looks at none of it.
    inspected: {} as Inspected,
    worker: 'w1',
    queues: { add: async () => [], cancel: async () => ({ queues: [], served: true }) },
    steering: undefined,
    events: createEmitter<AppEvents>(),
    stopping: () => false,
  })
  const told = (command: WorkerCommand, inTime: () => boolean) => obey({ v: 1, from: 'anna', command }, inTime)
  return { sizes, ends, told }
}

async function endOne(ends: (() => void)[]): Promise<void> {
  const end = await until(() => ends.shift(), { what: 'a change to be begun' })
  end()
}

const grow: WorkerCommand = { do: 'grow', by: 1 }

describe('a worker that is told to change', () => {
  it('begins with no change whose asker gave up while others were made: asked for again, it would come twice', async () => {
    const { sizes, ends, told } = worker()
    let waits = true
    const first = told(grow, () => true)
    const late = told(grow, () => waits)
    const again = told(grow, () => true)
    waits = false
    await endOne(ends)
    assert.deepEqual(await first, { ok: { concurrency: 2 } })
    await assert.rejects(late, /other changes took until nobody waited for this one any more/)
    await endOne(ends)
    assert.deepEqual([await again, sizes], [{ ok: { concurrency: 3 } }, [2, 3]])
  })

  it('says so of a command that it does not know, as of a later version', async () => {
    const { told } = worker()
    const later = { do: 'explode' } as unknown as WorkerCommand
    const says = (error: Error) => error instanceof UsageError && /"explode".* is not known here/.test(error.message)
    await assert.rejects(
      told(later, () => true),
      says,
    )
  })
})
