import assert from 'node:assert/strict'
import { type EngineOptions, openEngine } from '../../adapters/bullmq/index.js'
import { UsageError } from '../../src/lock/error.js'
import { startPostgres } from '../support/postgres-server.js'
import { withRedis } from '../support/redis-client.js'
import { startRedis } from '../support/redis-server.js'

describe('an engine whose URL is wrong is refused at opening, without showing its password', () => {
  const refused = async (place: object, sentence: RegExp): Promise<void> => {
    await assert.rejects(openEngine({ app: 'opening', server: 'the broker', ...place } as EngineOptions), (error) => {
      assert.ok(error instanceof UsageError, String(error))
      assert.match(error.message, sentence)
      assert.doesNotMatch(error.message, /wr0ng/)
      return true
    })
  }

  it('on Redis: a database that there is not, a password that is wrong or missing', async () => {
    const server = await startRedis()
    const at = (login: string, db = 0) => ({ redis: { url: `redis://${login}127.0.0.1:${server.port}/${db}` } })
    try {
      await refused(at('', 99), /^the broker: it has no such database; name another in the broker URL \(--broker/)
      await withRedis(server, (redis) => redis.config('SET', 'requirepass', 's3cret'))
      await refused(at(''), /user or password, or misses them/)
      await refused(at(':wr0ng@'), /user or password, or misses them/)
      await (await openEngine({ app: 'opening', server: 'the broker', ...at(':s3cret@', 7) })).close()
    } finally {
      await server.stop()
    }
  })

  it('on Postgres: a database that there is not, a user or password that is wrong', async () => {
    const server = await startPostgres()
    const at = (over: object) => ({ postgres: { connection: { ...server.connection, ...over } } })
    try {
      await refused(at({ database: 'nowhere' }), /no such database; name another in the broker URL \(--broker/)
      await refused(at({ password: 'wr0ng' }), /user or password/)
      await refused(at({ user: 'stranger' }), /user or password/)
    } finally {
      await server.remove()
    }
  })
})
