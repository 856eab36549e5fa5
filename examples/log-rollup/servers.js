import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { UsageError } from 'beatlock'

/**
 * @typedef {object} Servers
 * @property {string} broker
 * @property {string | undefined} locks
 */

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** What a command finds that is run in this folder without naming a server. */
const EMBEDDED = `embedded:${join(ROOT, '.beatlock')}`

/**
 * The servers as everyone is told of them: the option, then the environment, then the embedded one of this folder.
 *
 * @param {{ broker?: string, locks?: string }} options
 * @param {NodeJS.ProcessEnv} env
 * @returns {Servers}
 * @throws {UsageError} for memory:, which lives in one process
 */
export function serversOf(options, env) {
  const broker = options.broker ?? (env['BEATLOCK_BROKER'] || 'embedded:')
  const locks = options.locks ?? (env['BEATLOCK_LOCKS'] || undefined)
  return { broker: shared(broker), locks: locks && shared(locks) }
}

/** @param {string} url */
function shared(url) {
  if (url === 'embedded:') return EMBEDDED
  if (!url.startsWith('memory:')) return url
  throw new UsageError(
    'memory: lives in one process, and the demonstration has several: give redis://…, postgres://… or embedded:.',
  )
}

/**
 * The environment names them, not the command line: a URL may hold a password.
 *
 * @param {Servers} servers
 * @returns {NodeJS.ProcessEnv}
 */
export function serversAsEnv({ broker, locks }) {
  return { BEATLOCK_BROKER: broker, ...(locks ? { BEATLOCK_LOCKS: locks } : {}) }
}

/**
 * What to type elsewhere to see the locks.
 *
 * @param {Servers} servers
 * @param {{ broker: string, locks: string }} shown the same, as they may be shown
 * @returns {string}
 */
export function locksCommand(servers, shown) {
  const flags = [flag('--broker', servers.broker, shown.broker), flag('--locks', servers.locks, shown.locks)]
  return ['npx beatlock', ...flags.flat(), 'locks list'].join(' ')
}

/**
 * What `shown` leaves out of the URL is for its user to fill in.
 *
 * @param {string} name
 * @param {string | undefined} url
 * @param {string} shown
 */
function flag(name, url, shown) {
  if (url === undefined || url === EMBEDDED) return []
  return [name, url.includes('@') ? shown.replace('//', '//…@') : shown]
}
