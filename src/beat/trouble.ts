import { hasCode } from '../lock/error.js'

/** Nothing is known about what was sent: the same is sent again. */
export function isUnanswered(error: unknown): boolean {
  return hasCode(error, 'STORE_UNAVAILABLE', 'BROKER_UNAVAILABLE', 'PUBLISH_UNKNOWN')
}

export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
