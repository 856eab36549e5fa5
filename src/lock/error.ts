import type { ErrorCode } from './error-code.js'

/** On the prototype of each copy's base class: an app may bring another copy of this package than the command that serves it. */
const MARK = Symbol.for('beatlock.error')

/**
 * The one base of every error that beatlock throws on purpose.
 *
 * `code` is stable and upper case; the fields of `data` are safe to log (no passwords, no argument text). `instanceof`
 * goes by the classes' names, so that it also holds for errors of another copy of this package.
 */
export class BeatlockError extends Error {
  readonly code: ErrorCode
  readonly data: Readonly<Record<string, unknown>>

  static {
    Object.defineProperty(BeatlockError.prototype, MARK, { value: true })
  }

  static [Symbol.hasInstance](value: unknown): boolean {
    if (typeof value !== 'object' || value === null || !(MARK in value)) return false
    for (let each: unknown = Object.getPrototypeOf(value); each instanceof Error; each = Object.getPrototypeOf(each)) {
      // biome-ignore lint/complexity/noThisInStatic: the subclass that is asked about
      if (each.constructor.name === this.name) return true
    }
    return false
  }

  constructor(code: ErrorCode, message: string, options: { data?: Record<string, unknown>; cause?: unknown } = {}) {
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
