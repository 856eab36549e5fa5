import type { KillTarget } from '../lock/feed-line.js'
import type { LossReason } from '../lock/lease-keeper.js'

/** What the dead-man thread is born with. */
export interface DeadManData {
  readonly path: string
  readonly ticket: string
  readonly kills: KillTarget
  /** See RunInHand. */
  readonly inHand: SharedArrayBuffer
}

/** From the process's main thread: the run in hand is another. */
export type DeadManOrder = 'look'

/** To the main thread. */
export type DeadManNews =
  | { readonly news: 'armed' }
  | { readonly news: 'failed'; readonly why: string }
  | { readonly news: 'abort'; readonly runId: string; readonly reason: LossReason }
