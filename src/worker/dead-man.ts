import { Worker } from 'node:worker_threads'
import { BeatlockError } from '../lock/error.js'
import type { KillTarget } from '../lock/feed-line.js'
import type { LossReason } from '../lock/lease-keeper.js'
import type { DeadManData, DeadManNews, DeadManOrder } from './dead-man-line.js'
import { RunInHand } from './run-in-hand.js'

export interface DeadMan {
  /** Takes a run in hand: the process dies at `deadlineNs` (monotonic) unless the feed brings a newer one. */
  watch(runId: string, deadlineNs: bigint): void
  /** No run in hand: only the end of the feed kills. */
  rest(): void
  /** Until when the run in hand is trusted, monotonic ns; undefined without one. */
  deadlineNs(): bigint | undefined
  /** Told when the keeper has lost the lease of the run in hand. */
  onAbort(listener: (runId: string, reason: LossReason) => void): void
  /** Before the keeper is closed on purpose: nothing kills this process any more. */
  disarm(): Promise<void>
}

const ARM_MS = 10_000

/**
 * Starts the thread that SIGKILLs this process when the keeper at the feed's `path` is gone or a deadline passes, also
 * while the main thread spins. Resolves once it is armed. `kills`: `group` (default: a process that was started detached
 * takes along what it started; one that leads no group dies alone) or `process`.
 *
 * @throws BeatlockError DEAD_MAN if the feed does not welcome this process; nothing is armed then.
 */
export async function armDeadMan(options: {
  readonly path: string
  readonly ticket: string
  readonly kills?: KillTarget
}): Promise<DeadMan> {
  const inHand = new RunInHand()
  const data: DeadManData = { kills: 'group', ...options, inHand: inHand.memory }
  const thread = new Worker(new URL('./dead-man-thread.js', import.meta.url), {
    workerData: data,
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 16 },
  })
  const listeners: ((runId: string, reason: LossReason) => void)[] = []
  thread.on('message', (news: DeadManNews) => {
    if (news.news === 'abort') for (const listener of listeners) listener(news.runId, news.reason)
  })
  await armed(thread)
  thread.on('error', diesWithIt)
  thread.on('exit', diesWithIt)
  thread.unref()
  const look = () => thread.postMessage('look' satisfies DeadManOrder)
  return {
    watch(runId, deadlineNs) {
      if (inHand.take({ runId, deadlineNs })) look()
    },
    rest() {
      if (inHand.leave()) look()
    },
    deadlineNs: () => inHand.deadlineNs() || undefined,
    onAbort: (listener) => void listeners.push(listener),
    async disarm() {
      thread.off('exit', diesWithIt)
      await thread.terminate()
    },
  }
}

async function armed(thread: Worker): Promise<void> {
  let late: NodeJS.Timeout | undefined
  try {
    await new Promise<void>((resolve, reject) => {
      const fail = (why: string) => reject(new BeatlockError('DEAD_MAN', `the dead-man thread is not armed: ${why}`))
      late = setTimeout(fail, ARM_MS, `no welcome within ${ARM_MS} ms`)
      thread.once('error', (error) => fail(error.message))
      thread.once('exit', () => fail('it ended'))
      thread.on('message', (news: DeadManNews) => {
        if (news.news === 'armed') resolve()
        else if (news.news === 'failed') fail(news.why)
      })
    })
  } catch (error) {
    await thread.terminate()
    throw error
  } finally {
    clearTimeout(late)
  }
}

/** A process whose dead-man is gone could outlive its lease. */
function diesWithIt(): void {
  process.kill(process.pid, 'SIGKILL')
}
