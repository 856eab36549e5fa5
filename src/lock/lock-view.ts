import type { Answer } from './answer.js'
import type { CancelledHow, HoldEvent, Stage } from './hold.js'
import type { LockKey } from './key.js'
import type { OutcomeRecord } from './outcome.js'

export interface ListQuery {
  readonly task?: string
  readonly stage?: Stage
  /** Only holds acquired at least this many ms ago. */
  readonly olderThanMs?: number
  /** All apps of the server; default false: the store's own. */
  readonly allApps?: boolean
}

/** One holder of a listed key; one row with `holder: null` where only parked calls remain. */
export interface LockRow extends Answer {
  readonly app: string
  readonly key: LockKey
  readonly task: string
  readonly label: string
  readonly stage: Stage | null
  readonly holder: string | null
  /** Of the holder's message. */
  readonly round: number | null
  readonly token: number | null
  readonly worker: string | null
  readonly queue: string | null
  readonly barrier: 'none' | 'session' | 'quorum' | null
  /** Of a running hold with barrier `session`: its session lives and keeps everyone out, also when its lease is over. */
  readonly barrierHeld: boolean
  /** Epoch ms. */
  readonly acquiredAt: number | null
  /** Epoch ms; of a running hold, the end of its lease. */
  readonly expiresAt: number | null
  readonly cancelledBy: string | null
  readonly cancelledHow: CancelledHow | null
  readonly parked: number
  readonly limit: number
}

export interface ParkedView {
  readonly id: string
  /** Epoch ms. */
  readonly since: number
  readonly expiresAt: number | null
}

export interface LockView extends Answer {
  readonly rows: readonly LockRow[]
  readonly parked: readonly ParkedView[]
  /** The newest first, at most 20. */
  readonly outcomes: readonly OutcomeRecord[]
  /** The newest first, at most 20. */
  readonly history: readonly HoldEvent[]
}

/** What is known about one message. Its key may be known though nothing else is: a further round is on its way. */
export interface MessageView extends Answer {
  readonly key: LockKey | null
  readonly outcome: OutcomeRecord | null
  readonly hold: { readonly stage: Stage; readonly retries: number; readonly worker: string | null } | null
  readonly parked: boolean
}
