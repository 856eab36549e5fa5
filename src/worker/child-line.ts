import type { BodyRequest, BodyVerdict } from '../task-base/body.js'
import type { CarriedError } from '../task-base/carried-error.js'
import type { AbortReason } from './pool.js'

/** What a child is told first. It travels by IPC, never on a command line: it may hold passwords. */
export interface ChildStart {
  readonly feed: { readonly path: string; readonly ticket: string }
  /** `file:` URL of a {@link RunnerModule}. */
  readonly runner: string
  readonly spec: unknown
  /** Folder for payloads that are too large for the channel. */
  readonly spill: string
  /** Whether it tells its resident memory after each body. */
  readonly weighed: boolean
}

/** A body as JSON. `deadlineNs` is decimal text. */
export type WireBody = Omit<BodyRequest, 'deadlineNs'> & { readonly deadlineNs: string | null }

/** From parent to child. */
export type ParentLine =
  | ({ readonly do: 'start' } & ChildStart)
  | { readonly do: 'run'; readonly body: WireBody }
  /** The body is JSON in a file, which its reader removes. */
  | { readonly do: 'run'; readonly file: string }
  | { readonly do: 'abort'; readonly runId: string; readonly why: AbortReason }
  | { readonly do: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly do: 'answer'; readonly id: number; readonly error: CarriedError }
  | { readonly do: 'stop' }

/** From child to parent. */
export type ChildLine =
  | { readonly say: 'ready' }
  | { readonly say: 'failed'; readonly error: CarriedError }
  | EndLine
  | { readonly say: 'ask'; readonly id: number; readonly call: unknown }

/** A body has ended. `rssBytes` is 0 if the child is not weighed. The verdict may be JSON in a file, which its reader removes. */
export type EndLine = { readonly say: 'end'; readonly runId: string; readonly rssBytes: number } & (
  | { readonly verdict: BodyVerdict }
  | { readonly file: string }
)
