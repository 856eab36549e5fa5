import type { BodyRequest, BodyVerdict } from '../task-base/body.js'
import type { AbortReason } from './pool.js'

/** What a child is told first. It travels by IPC, never on a command line: it may hold passwords. */
export interface ChildStart {
  readonly feed: { readonly path: string; readonly ticket: string }
  /** `file:` URL of a {@link RunnerModule}. */
  readonly runner: string
  readonly spec: unknown
  /** Folder for payloads that are too large for the channel. */
  readonly spill: string
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
  | { readonly do: 'answer'; readonly id: number; readonly error: WireError }
  | { readonly do: 'stop' }

/** From child to parent. */
export type ChildLine =
  | { readonly say: 'ready' }
  | { readonly say: 'failed'; readonly error: WireError }
  | { readonly say: 'end'; readonly runId: string; readonly verdict: BodyVerdict }
  | { readonly say: 'end'; readonly runId: string; readonly file: string }
  | { readonly say: 'ask'; readonly id: number; readonly call: unknown }

/** An error as JSON. */
export interface WireError {
  readonly name: string
  readonly message: string
  readonly stack?: string
  readonly code?: string
}

export function asWireError(thrown: unknown): WireError {
  if (!(thrown instanceof Error)) return { name: 'Error', message: String(thrown) }
  const { name, message, stack } = thrown
  const { code } = thrown as { code?: unknown }
  return { name, message, ...(stack !== undefined && { stack }), ...(typeof code === 'string' && { code }) }
}
