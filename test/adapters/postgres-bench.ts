import { randomBytes } from 'node:crypto'
import type { Address } from '../../adapters/embedded/session.js'
import type { PostgresOptions } from '../../adapters/postgres/index.js'
import { until } from '../support/until.js'

/** All that is asked of a server: where it is. */
interface Reachable {
  readonly connection: Address
}

/** Options for a store of an app name that nobody used before. */
export function freshOptions(server: Reachable, over: Partial<PostgresOptions> = {}): PostgresOptions {
  const { port } = server.connection
  return { app: appName(), connection: server.connection, server: `postgres 127.0.0.1:${port}`, ...over }
}

export function appName(): string {
  return `app-${randomBytes(6).toString('hex')}`
}

interface Closable {
  now(): Promise<number>
  destroy(): Promise<void>
  close(): Promise<void>
}

/** One test's store with what a contract asks of it. */
export async function benchOf<Store extends Closable>(
  server: Reachable,
  open: (options: PostgresOptions) => Promise<Store>,
) {
  const options = freshOptions(server)
  const store = await open(options)
  const stores = [store]
  return {
    app: options.app,
    store,
    advanceTime: async (ms: number) => {
      const end = (await store.now()) + ms
      await until(async () => (await store.now()) >= end, { everyMs: 2, what: `${ms} ms of the server's time` })
    },
    another: async (app: string = options.app) => {
      const other = await open({ ...options, app })
      stores.push(other)
      return other
    },
    close: async () => {
      await store.destroy()
      await Promise.all(stores.map((each) => each.close()))
    },
  }
}
