import assert from 'node:assert/strict'
import pg from 'pg'
import { openEngine } from '../../adapters/bullmq/index.js'
import { BrokerUnavailable } from '../../src/lock/error.js'
import type { Engine } from '../../src/task-base/engine.js'
import type { Message } from '../../src/task-base/message.js'
import { messageOf } from '../contract/engine/scene.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { until } from '../support/until.js'

const CROWD = 300

describe('a crowd of messages on BullMQ over Postgres', function () {
  this.timeout(60_000)
  let postgres: PostgresServer
  let engine: Engine
  before(async () => {
    postgres = await startPostgres()
    engine = await openEngine({ app: 'crowd', server: 'postgres', postgres: { connection: postgres.connection } })
  })
  after(async () => {
    await engine?.close()
    await postgres?.remove()
  })

  const publish = (message: Message): Promise<void> => engine.publish(message, { delayMs: 0, head: false })
  const message = (id: string, more: Partial<Message> = {}): Message => messageOf(id, { queue: 'crowd', ...more })

  it('goes out in few statements, each message once and in the order of its call', async () => {
    const ids = Array.from({ length: CROWD }, (_, n) => `c${n}`)
    await Promise.all([...ids, 'c7'].map((id) => publish(message(id))))
    assert.equal((await engine.counts('crowd')).waiting, CROWD)
    assert.ok((await transactions()) < CROWD / 3)
    const seen: string[] = []
    const consumer = await engine.consume({
      queues: ['crowd'],
      concurrency: 1,
      redeliverAfterMs: 15_000,
      deliver: async (delivery) => {
        seen.push(delivery.message.id)
        return { verdict: 'ack' }
      },
      acknowledged: () => {},
      trouble: () => {},
    })
    await until(() => seen.length >= CROWD, { timeoutMs: 30_000, what: 'all deliveries' })
    await consumer.close('finish')
    assert.deepEqual(seen, ids)
  })

  it('fails no other for one message that cannot be added', async () => {
    const ids = Array.from({ length: 40 }, (_, n) => `d${n}`)
    const priority = 2 ** 22
    const added = await Promise.allSettled(
      ids.map((id) => publish(id === 'd20' ? message(id, { priority }) : message(id))),
    )
    const failed = added.flatMap((each, at) => (each.status === 'rejected' ? [ids[at]] : []))
    assert.deepEqual(failed, ['d20'])
    assert.equal((await engine.counts('crowd')).waiting, ids.length - 1)
  })

  it('is reported as unknown, all of it, where the server is gone', async () => {
    await postgres.stop('immediate')
    const tried = await Promise.allSettled(Array.from({ length: 20 }, (_, n) => publish(message(`e${n}`))))
    for (const each of tried) assert.ok(each.status === 'rejected' && each.reason instanceof BrokerUnavailable)
  })

  /** Rows that one statement has written are of one transaction. */
  async function transactions(): Promise<number> {
    const client = new pg.Client(postgres.connection)
    await client.connect()
    try {
      const { rows } = await client.query('select count(distinct xmin::text) as n from bullmq.job')
      return Number(rows[0].n)
    } finally {
      await client.end()
    }
  }
})
