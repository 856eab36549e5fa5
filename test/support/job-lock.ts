import { Redis } from 'ioredis'
import pg from 'pg'
import type { Backend } from './backends.js'

/** As if the worker that has the message had not renewed the engine's own lock; it would, so it is lost again and again. */
export async function losingJobLock(
  backend: Pick<Backend, 'name' | 'url'>,
  of: { readonly app: string; readonly id: string },
  work: (lose: () => Promise<undefined>) => Promise<void>,
): Promise<void> {
  if (backend.name === 'redis') {
    const client = new Redis(backend.url)
    const lose = async (): Promise<undefined> => void (await client.del(`{${of.app}}:default:m-${of.id}:lock`))
    await work(lose).finally(() => client.quit())
    return
  }
  const client = new pg.Client(backend.url)
  await client.connect()
  const text = 'update bullmq.job set locked_until_ms = 1, stalled_marked = true where id = $1 and state = $2'
  const lose = async (): Promise<undefined> => void (await client.query(text, [`m-${of.id}`, 'active']))
  await work(lose).finally(() => client.end())
}
