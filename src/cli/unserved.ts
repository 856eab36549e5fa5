import { printable } from '../lock/printable.js'
import type { App } from '../task-base/app.js'
import { WORKER_DEAD_MS } from '../task-base/locks.js'
import { say } from './print.js'

/** Workers start, and starve for a moment. */
const PATIENCE_MS = 3_000

/** The living workers' queues, once each. */
export async function servedQueues(app: App): Promise<readonly string[]> {
  const { store } = await app.connection()
  const rows = await store.workers({ allApps: false })
  const now = await store.now()
  return [...new Set(rows.filter(({ seenAt }) => now - seenAt < WORKER_DEAD_MS).flatMap(({ queues }) => queues))].sort()
}

/** Says once, after some seconds, that nobody is there to do what is waited for; answers how to say nothing any more. */
export function sayIfUnserved(app: App, queueOf: () => Promise<string>): () => void {
  let over = false
  const look = async () => {
    const queue = await queueOf()
    if (over || (await servedQueues(app)).includes(queue) || over) return
    say(`no worker of app ${app.name} consumes queue ${printable(queue)}; waiting for one.`)
  }
  // Whoever waits hears of servers that do not answer from what it waits for.
  const timer = setTimeout(() => void look().catch(() => undefined), PATIENCE_MS)
  return () => {
    over = true
    clearTimeout(timer)
  }
}
