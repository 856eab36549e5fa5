/** Every `code` of an error or of an outcome. They are stable: scripts go by them. The README says what each means. */
export const ERROR_CODES = [
  // of calls
  'USAGE',
  'ALREADY_QUEUED',
  'PARKED_FULL',
  'STORE_UNAVAILABLE',
  'BROKER_UNAVAILABLE',
  'PUBLISH_UNKNOWN',
  'PUBLISH_FAILED',
  'CLOSED',
  'CONTENDED',
  'NO_REQUEST',
  'COMMIT_UNKNOWN',
  // of results
  'REJECTED',
  'RESULT_TIMEOUT',
  'TASK_ERROR',
  'TIME_LIMIT',
  'MAX_RETRIES',
  'MAX_DELIVERIES',
  'UNKNOWN_TASK',
  'BAD_ARGUMENTS',
  'BAD_RESULT',
  'LOCK_LOST',
  'EXPIRED',
  'REVOKED',
  'CLEARED',
  'PURGED',
  'REPLACED',
  // of a task's signal, and of its own request for a retry
  'SOFT_TIME_LIMIT',
  'RETRY',
  // of a worker
  'CHILD_START',
  'DEAD_MAN',
  'KEEPER',
  'BEAT',
] as const

export type ErrorCode = (typeof ERROR_CODES)[number]

export function isErrorCode(code: unknown): code is ErrorCode {
  return ERROR_CODES.some((each) => each === code)
}
