import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RedisOptions } from '../../adapters/redis/index.js'

interface Closable {
  destroy(): Promise<void>
  close(): Promise<void>
}

/** One test's store, of an app name that nobody used before, with what a contract asks of it. */
export async function benchOf<Store extends Closable>(url: string, open: (options: RedisOptions) => Promise<Store>) {
  const app = `contract-${randomUUID()}`
  const opened: Store[] = []
  const another = async (name = app): Promise<Store> => {
    const store = await open({ app: name, url, server: 'the server' })
    opened.push(store)
    return store
  }
  const store = await another()
  const close = async (): Promise<void> => {
    await store.destroy()
    await Promise.all(opened.map((each) => each.close()))
  }
  return { app, store, another, advanceTime: (ms: number) => sleep(ms), close }
}
