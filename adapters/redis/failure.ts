import { BeatlockError, StoreUnavailable, UsageError } from '../../src/lock/error.js'
import { tlsSilence, tlsTrouble } from '../../src/lock/tls-trouble.js'
import type { RedisPlace } from '../../src/task-base/redis-place.js'
import { permissionTrouble, SentinelMistake } from '../../src/task-base/redis-trouble.js'

/** What the server says while it cannot serve, by the first word of its reply: no fault of the request's. */
const CANNOT_SERVE = new Set(['LOADING', 'READONLY', 'MASTERDOWN', 'CLUSTERDOWN', 'TRYAGAIN', 'BUSY'])
const CANNOT_WRITE = new Set(['MISCONF', 'NOREPLICAS', 'UNKILLABLE'])
const CREDENTIALS = new Set(['NOAUTH', 'WRONGPASS', 'NOPERM'])

const FULL =
  'its memory is full (OOM, maxmemory) and it takes no writes; raise maxmemory, or give the locks a server of their own'

/** The server answered with an error, as opposed to: it is not known whether it heard the request. */
export function isReply(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError'
}

export function isMissingScript(error: unknown): boolean {
  return isReply(error) && error.message.startsWith('NOSCRIPT')
}

/** The server is a replica, or was made one. */
export function isReadOnly(error: unknown): boolean {
  return isReply(error) && firstWord(error) === 'READONLY'
}

/** The server kept silent for the command's whole time. */
export function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === 'Command timed out'
}

/** The server refuses the user or password of the URL (or that there is none): asking again will not help. */
export function isCredentials(error: unknown): error is Error {
  return isReply(error) && CREDENTIALS.has(firstWord(error))
}

/** The public error of a failed request; an error that is public already, or a fault of ours, stays as it is. */
export function asPublic(server: string, error: unknown): unknown {
  if (error instanceof BeatlockError) return error
  if (!isReply(error)) return new StoreUnavailable(server, reasonOf(error), error)
  const newer = /NEWER (\d+)/.exec(error.message)?.[1]
  if (newer !== undefined) return tooNew(server, newer, error)
  const permission = permissionTrouble(error)
  if (permission !== undefined) return new StoreUnavailable(server, permission, error)
  const word = firstWord(error)
  if (word === 'OOM') return new StoreUnavailable(server, FULL, error)
  if (CREDENTIALS.has(word)) return new StoreUnavailable(server, `the server refuses the credentials (${word})`, error)
  if (CANNOT_SERVE.has(word) || CANNOT_WRITE.has(word)) return new StoreUnavailable(server, error.message, error)
  return error
}

/** At opening, wrong credentials or certificates are the caller's mistake: waiting does not mend them. */
export function asOpening(server: string, error: unknown, { tls: secure }: Pick<RedisPlace, 'tls'>): unknown {
  const permission = permissionTrouble(error) ?? permissionTrouble((error as Error | undefined)?.cause)
  if (permission !== undefined) return new UsageError(`${server}: ${permission}.`, { data: { server }, cause: error })
  if (isCredentials(error)) return credentialsRefused(server, error)
  if (error instanceof SentinelMistake) return new UsageError(`${server}: ${error.message}.`, { data: { server } })
  const tls = tlsTrouble(error)
  if (tls === undefined) {
    const silence = secure && tlsSilence(error)
    return silence === undefined ? asPublic(server, error) : new StoreUnavailable(server, silence, error)
  }
  return new UsageError(`${server}: ${tls}.`, { data: { server }, cause: error })
}

/** Met in a record, by a process that was there before the newer version came. */
function tooNew(server: string, version: string, cause: Error): UsageError {
  const advice = 'start this process again with the newer version. Nothing was changed'
  return new UsageError(`${server}: a newer beatlock wrote this lock, in version ${version}: ${advice}.`, { cause })
}

function credentialsRefused(server: string, error: Error): UsageError {
  const advice: Readonly<Record<string, string>> = {
    NOAUTH: 'it asks for a password and the URL has none',
    WRONGPASS: "it refuses the URL's user name or password",
  }
  return new UsageError(`${server}: ${advice[firstWord(error)] ?? 'it refuses the credentials'}.`, { data: { server } })
}

/** One line for people. The client's own texts carry host and port, never credentials. */
export function reasonOf(error: unknown): string {
  const tls = tlsTrouble(error)
  if (tls !== undefined) return tls
  const message = error instanceof Error ? error.message : ''
  if (isTimeout(error)) return 'it did not answer in time'
  if (/max retries per request|Connection is closed|isn't writeable|aborted/.test(message)) {
    return 'the connection was lost'
  }
  return message || 'no connection'
}

function firstWord(error: Error): string {
  // A script's error may be wrapped: "ERR Error running script …: @user_script: 12: OOM command not allowed …".
  const wrapped = /\b(OOM|READONLY|MISCONF|NOREPLICAS|MASTERDOWN|NOPERM)\b/.exec(error.message)
  return wrapped?.[1] ?? error.message.split(' ', 1)[0] ?? ''
}
