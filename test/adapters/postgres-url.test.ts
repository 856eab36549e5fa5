import assert from 'node:assert/strict'
import { parsePostgresUrl } from '../../adapters/postgres/index.js'
import { UsageError } from '../../src/lock/error.js'

describe('a Postgres URL', () => {
  it('gives the connection in pieces, and what may be shown without credentials', () => {
    assert.deepEqual(parsePostgresUrl('postgres://ann:s%40cret@db.example:6432/shop?schema=locks'), {
      connection: { host: 'db.example', port: 6432, database: 'shop', user: 'ann', password: 's@cret' },
      schema: 'locks',
      server: 'postgres db.example:6432/shop',
    })
  })

  it('has port 5432 and a database named like the user where it says nothing', () => {
    const { connection, schema } = parsePostgresUrl('postgresql://ann@db')
    assert.deepEqual(connection, { host: 'db', port: 5432, database: 'ann', user: 'ann' })
    assert.equal(schema, undefined)
  })

  it("may name a socket's folder and no host", () => {
    for (const url of ['postgres://ann:pw@/shop?host=%2Frun%2Fpg', 'postgres://ann:pw@localhost/shop?host=/run/pg']) {
      const { connection, server } = parsePostgresUrl(url)
      assert.deepEqual(connection, { host: '/run/pg', port: 5432, database: 'shop', user: 'ann', password: 'pw' })
      assert.equal(server, 'postgres /run/pg:5432/shop')
    }
    assert.equal(parsePostgresUrl('postgres:///shop').connection.host, 'localhost')
  })

  it('reads an IPv6 address without its brackets', () => {
    assert.equal(parsePostgresUrl('postgres://ann@[::1]:5433/shop').connection.host, '::1')
  })

  it('is refused by name for a parameter that is not known', () => {
    const url = 'postgres://ann:secret@db/shop?schemas=x'
    assert.throws(() => parsePostgresUrl(url), refusal(/no parameter 'schemas'.*did you mean "schema"/))
  })

  it('is refused without a database, with a schema that is no plain name, or where it cannot be read', () => {
    assert.throws(() => parsePostgresUrl('postgres://db'), refusal(/needs a database/))
    assert.throws(() => parsePostgresUrl('postgres://ann@db/shop?schema=a"b'), refusal(/schema.*plain name/))
    assert.throws(() => parsePostgresUrl('postgres://ann:secret@db:port/shop'), refusal(/cannot be read/))
  })
})

function refusal(message: RegExp) {
  return (error: unknown) =>
    error instanceof UsageError && message.test(error.message) && !error.message.includes('secret')
}
