import pg from 'pg'
import { codeOf } from './error-code.js'

export interface Address {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
}

export type Attempt =
  | { readonly outcome: 'connected'; readonly client: pg.Client }
  /** No server listens there. */
  | { readonly outcome: 'nobody'; readonly error: Error }
  /** A server is there and starts, stops, or was cut off: ask again. */
  | { readonly outcome: 'later'; readonly error: Error }

const NOBODY = new Set(['ENOENT', 'ECONNREFUSED'])
/** admin_shutdown, crash_shutdown, cannot_connect_now. */
const LATER = new Set(['ECONNRESET', 'EPIPE', '57P01', '57P02', '57P03'])

/** What pg has no code for. */
const CUT_OFF = /^Connection terminated|timeout expired$|^Client has encountered a connection error/

/** Tries once to open a session. Anything but a server that is absent or not ready is thrown, as a wrong password. */
export async function connect(address: Address, applicationName: string): Promise<Attempt> {
  // Said, since PGSSLMODE would else mean this server too.
  const client = new pg.Client({
    ...address,
    ssl: false,
    application_name: applicationName,
    connectionTimeoutMillis: 5_000,
  })
  // A session that ends while nobody waits on it emits; `end` follows, and its owner listens to that.
  client.on('error', () => {})
  try {
    await client.connect()
    return { outcome: 'connected', client }
  } catch (error) {
    await client.end().catch(() => {})
    return failed(error)
  }
}

/** Sorts the error of a session that was not, or is no longer. */
export function failed(error: unknown): Exclude<Attempt, { outcome: 'connected' }> {
  if (!(error instanceof Error)) throw error
  const code = codeOf(error)
  if (code !== undefined && NOBODY.has(code)) return { outcome: 'nobody', error }
  if (code === undefined ? CUT_OFF.test(error.message) : LATER.has(code)) return { outcome: 'later', error }
  throw error
}

/** Lets the process end while this session is open. (The client has it; its types do not.) */
export function unref(client: pg.Client): void {
  if ('unref' in client && typeof client.unref === 'function') client.unref()
}
