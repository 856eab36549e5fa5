import { UsageError } from '../lock/error.js'

/**
 * Epoch ms of a Date, or of ISO 8601 text with an offset or `Z`. Text without one would mean another instant on each
 * host. `what` names the option for the error's sentence.
 *
 * @throws UsageError
 */
export function readInstant(value: Date | string, what: string): number {
  const readable =
    value instanceof Date || (typeof value === 'string' && hasOffset(value) && isDate(value.slice(0, 10)))
  const at = readable ? new Date(value).getTime() : Number.NaN
  if (Number.isFinite(at)) return at
  throw new UsageError(
    `Expected \`${what}\` to be a Date or ISO 8601 text with an offset such as '2026-01-01T00:00:00Z', ` +
      `got \`${String(value)}\` (${typeof value}).`,
  )
}

function hasOffset(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}T.*(?:Z|[+-]\d{2}:\d{2})$/.test(text)
}

/** JavaScript takes 30 February for 2 March. */
function isDate(day: string): boolean {
  const at = Date.parse(`${day}T00:00:00Z`)
  return Number.isFinite(at) && new Date(at).toISOString().startsWith(day)
}
