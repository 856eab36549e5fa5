import { setTimeout as sleep } from 'node:timers/promises'

/** @typedef {Awaited<ReturnType<import('beatlock').App['connection']>>} Connection */

const CLEAN_MS = 10_000

/**
 * Clears what this run has on the servers and lets go of them. A server that is gone cannot be cleared, and must not
 * hang the end: that is said.
 *
 * @param {import('beatlock').App} app
 * @param {Connection} connection
 */
export async function clean(app, connection) {
  const late = new AbortController()
  const bound = sleep(CLEAN_MS, 'no answer', { signal: late.signal })
  try {
    const trouble = await Promise.race([clear(app, connection), bound])
    if (trouble !== undefined) console.error(`What this run has on the server stays there: ${trouble}`)
  } finally {
    late.abort()
    await bound.catch(() => {})
  }
}

/**
 * @param {import('beatlock').App} app
 * @param {Connection} connection
 * @returns {Promise<string | undefined>} why it could not be cleared
 */
async function clear(app, { store, servers }) {
  try {
    await servers.engine.destroy(['default'])
    await servers.scheduleStore.destroy()
    await store.destroy()
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    await app.close()
  }
}
