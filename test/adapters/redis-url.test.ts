import assert from 'node:assert/strict'
import { parseRedisUrl } from '../../adapters/redis/index.js'
import { UsageError } from '../../src/lock/error.js'

describe('a Redis URL', () => {
  it('gives host, port, database and credentials, decoded', () => {
    assert.deepEqual(parseRedisUrl('redis://ada:p%40ss%2F1@db1:6380/3'), {
      host: 'db1',
      port: 6380,
      username: 'ada',
      password: 'p@ss/1',
      db: 3,
      tls: false,
      server: 'db1:6380',
    })
  })

  it('has port 6379, database 0 and no credentials unless it says so', () => {
    const { port, db, username, password, server } = parseRedisUrl('redis://localhost')
    assert.deepEqual([port, db, username, password, server], [6379, 0, undefined, undefined, 'localhost:6379'])
  })

  it('asks for TLS as rediss and takes an IPv6 address', () => {
    const { tls, host, server } = parseRedisUrl('rediss://[::1]:7000/')
    assert.deepEqual([tls, host, server], [true, '::1', '[::1]:7000'])
  })

  it('with a parameter is refused, and the parameter named', () => {
    assert.throws(() => parseRedisUrl('redis://h/0?famly=4&tls=1'), usageError(/famly, tls/))
  })

  it('of another scheme, without a host or with a path that is no number is refused', () => {
    for (const url of ['http://h', 'h:6379', '', 'redis:///0', 'redis://h/jobs', 'redis://h/-1']) {
      assert.throws(() => parseRedisUrl(url), UsageError, url)
    }
  })

  it('is never quoted with its password when it is refused', () => {
    for (const url of [
      'redis://u:s3cret@h/jobs',
      'redis://u:s3cret%@h',
      'redis://u:s3cret@h?x=1',
      'redi://u:s3cret@h',
    ]) {
      assert.throws(
        () => parseRedisUrl(url),
        (error: Error) => error instanceof UsageError && !error.message.includes('s3cret'),
      )
    }
  })
})

function usageError(text: RegExp): (error: Error) => boolean {
  return (error) => error instanceof UsageError && text.test(error.message)
}
