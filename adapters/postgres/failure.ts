import { StoreUnavailable, UsageError } from '../../src/lock/error.js'
import { type Asker, missingPrivilege } from './privilege.js'
import { tlsTrouble } from './tls.js'

/** What an error of a connection or a statement means for whoever asked. */
export type Failure =
  /** The connection is gone or mute: the statement may or may not have run. */
  | 'disconnected'
  /** The server answered that it cannot serve now; nothing happened. */
  | 'unavailable'
  /** Two transactions waited for each other, or a newer version replaced a function just now: this one was undone. */
  | 'undone'
  /** The login, a privilege, the database, a certificate or the isolation level is wrong: asking again will not help. */
  | 'misconfigured'
  | 'other'

const SOCKET_CODES = new Set(
  'ENOENT ECONNREFUSED ECONNRESET EPIPE ETIMEDOUT EHOSTUNREACH ENETUNREACH ENOTFOUND EAI_AGAIN EACCES'.split(' '),
)
/** Shutting down, crashed, starting up; a primary that became a standby, whose address may already lead elsewhere. */
const SHUTDOWN_CODES = new Set(['57P01', '57P02', '57P03', '25006'])
/** lock_timeout, statement_timeout. */
const REFUSAL_CODES = new Set(['55P03', '57014'])
/** What `pg` throws without a code. */
const DISCONNECTED = /terminated|timeout|timed out|connection error|not queryable|after calling end|server closed/i

export function failureOf(error: unknown): Failure {
  if (tlsTrouble(error) !== undefined) return 'misconfigured'
  const code = codeOf(error)
  if (code === undefined) return error instanceof Error && DISCONNECTED.test(error.message) ? 'disconnected' : 'other'
  if (SOCKET_CODES.has(code) || SHUTDOWN_CODES.has(code)) return 'disconnected'
  if (code === '40P01' || isReplaced(error)) return 'undone'
  if (code === 'BL001' || code.startsWith('28') || code === '3D000' || code === '42501') return 'misconfigured'
  if (code.startsWith('08')) return 'disconnected'
  if (code.startsWith('53') || REFUSAL_CODES.has(code)) return 'unavailable'
  return 'other'
}

/** The server keeps no function from being replaced while another is about to call it. */
function isReplaced(error: unknown): boolean {
  return codeOf(error) === 'XX000' && /cache lookup failed for function/.test((error as Error).message)
}

export function codeOf(error: unknown): string | undefined {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : undefined
}

/** The same error in the words of the port. Errors that are none of the server's state stay as they are. */
export function publicError(server: string, error: unknown, asker: Asker): unknown {
  const failure = failureOf(error)
  if (failure === 'other') return error
  if (failure === 'misconfigured') return new UsageError(adviceFor(server, error, asker), { cause: error })
  return new StoreUnavailable(server, reasonOf(error), error)
}

/** What an administrator has to mend, for errors that mending is all that helps; else undefined. */
export function cureOf(error: unknown, asker: Asker): string | undefined {
  return tlsTrouble(error) ?? missingPrivilege(error, asker)
}

function adviceFor(server: string, error: unknown, asker: Asker): string {
  const cure = cureOf(error, asker)
  if (cure !== undefined) return `${server}: ${cure}.`
  const why = reasonOf(error)
  if (codeOf(error) !== 'BL001') return `${server} refused the connection: ${why}; check user, password and database.`
  return `${server}: ${why}; set default_transaction_isolation to 'read committed' for this role and database.`
}

function reasonOf(error: unknown): string {
  const code = codeOf(error)
  const message = error instanceof Error && error.message !== '' ? error.message : 'no answer'
  return code === undefined || message.includes(code) ? message : `${message} (${code})`
}
