import type { KillTarget } from '../lock/feed-line.js'
import type { LossReason } from '../lock/lease-keeper.js'

/** What the dead-man thread is born with. */
export interface DeadManData {
  readonly path: string
  readonly ticket: string
  readonly kills: KillTarget
  /** Shared with the main thread: until when the run in hand is trusted, monotonic ns; 0: nothing to lose. */
  readonly cell: BigInt64Array<SharedArrayBuffer>
}

/** From the process's main thread: the run it has in hand from now on; null: none. */
export type DeadManOrder = { readonly runId: string; readonly deadlineNs: bigint } | { readonly runId: null }

/** To the main thread. */
export type DeadManNews =
  | { readonly news: 'armed' }
  | { readonly news: 'failed'; readonly why: string }
  | { readonly news: 'abort'; readonly runId: string; readonly reason: LossReason }
