/**
 * The one base of every error that beatlock throws on purpose.
 *
 * `code` is stable and upper case; the fields of `data` are safe to log (no passwords, no argument text).
 */
export class BeatlockError extends Error {
  readonly code: string
  readonly data: Readonly<Record<string, unknown>>

  constructor(code: string, message: string, options: { data?: Record<string, unknown>; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.code = code
    this.data = options.data ?? {}
  }
}

/** Told by `code`, not by class: an app may bring another copy of this package than the command that serves it. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && codes.includes(code)
}

/** Something the caller wrote is wrong: nothing was started, nothing was locked. Commands exit with 2. */
export class UsageError extends BeatlockError {
  constructor(message: string, options: { data?: Record<string, unknown>; cause?: unknown } = {}) {
    super('USAGE', message, options)
  }
}

/**
 * A server did not answer, or answered that it cannot serve. Never means "refused" and never "granted".
 * Commands exit with 69. `server` is `host:port` or a socket folder, without credentials.
 */
export class ServerUnavailable extends BeatlockError {
  readonly server: string

  constructor(code: 'STORE_UNAVAILABLE' | 'BROKER_UNAVAILABLE', server: string, why: string, cause?: unknown) {
    super(code, `${server} cannot be reached: ${why}`, { data: { server }, cause })
    this.server = server
  }
}

/** The server that holds the locks did not answer. */
export class StoreUnavailable extends ServerUnavailable {
  constructor(server: string, why: string, cause?: unknown) {
    super('STORE_UNAVAILABLE', server, why, cause)
  }
}

/** The server that carries the messages did not answer. */
export class BrokerUnavailable extends ServerUnavailable {
  constructor(server: string, why: string, cause?: unknown) {
    super('BROKER_UNAVAILABLE', server, why, cause)
  }
}
