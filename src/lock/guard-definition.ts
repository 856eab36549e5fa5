import type { Mode } from './mode.js'
import type { Keep } from './overlap.js'

/** How a task is guarded, for publishers that do not have its code. JSON, at most 16 kB. */
export interface GuardDefinition {
  readonly keys: readonly string[] | null
  readonly params: readonly string[] | null
  readonly defaults: Readonly<Record<string, unknown>> | null
  readonly limit: number
  readonly mode: Mode
  readonly timeoutMs: number
  readonly overlap: string
  readonly keep: Keep
  readonly maxParked: number
  readonly minRunMs: number
  readonly redact: boolean
  /** True where the key is a function of the user's: only its own process can compute it. */
  readonly opaque: boolean
}
