import type { BodyEnd, BodyRequest } from '../task-base/body.js'

/** Where bodies run, one at a time in each place. */
export interface Pool {
  /**
   * Resolves when every place that could be made ready is. Aborting `signal` undoes it.
   * @throws BeatlockError CHILD_START, with the child's own message, if no place could be made ready.
   */
  start(signal?: AbortSignal): Promise<void>
  /**
   * Told `false` when no place can be made ready any more, so that every body would end unstarted, at once if that is so
   * already; `true` when bodies can start again.
   */
  onServing(listener: (serving: boolean) => void): void
  /** How many bodies run at once. */
  readonly size: number
  /**
   * Makes room for `size` bodies at once, a whole number from 1. Resolves when the new places are ready; places too many
   * are left by their bodies first, without being waited for. A later call counts.
   * @throws BeatlockError CHILD_START if no new place could be made ready: the size stays; UsageError in a solo pool.
   */
  resize(size: number): Promise<void>
  /**
   * Replaces the children one after another by such that load the code anew; what runs is finished in the old ones.
   * `closed`: the pool was closed meanwhile, and not all were replaced.
   * @throws BeatlockError CHILD_START if a new one does not start: those not replaced yet go on; UsageError in a solo pool.
   */
  reload(): Promise<'reloaded' | 'closed'>
  /** Runs a body, at once or in the next free place. Never rejects: whatever happens is an end. */
  run(body: BodyRequest): Promise<BodyEnd>
  /** Aborts the body's signal; the body goes on until it ends, is killed, or its lease's deadline passes. */
  abort(runId: string, why: AbortReason): void
  /** Ends the body's process group; `run` answers once nothing of it runs any more. */
  kill(runId: string, why: 'lost' | 'cancelled' | 'shutdown'): void
  children(): readonly PoolChild[]
  /** `finish` waits for running bodies, `now` kills them. Nothing is left: no process, file or timer. */
  close(how: 'finish' | 'now'): Promise<void>
}

export type AbortReason = 'lost' | 'soft' | 'cancelled'

export interface PoolChild {
  readonly pid: number
  readonly runId: string | null
  readonly task: string | null
}
