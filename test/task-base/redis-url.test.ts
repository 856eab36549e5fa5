import assert from 'node:assert/strict'
import { UsageError } from '../../src/lock/error.js'
import { shownPlace } from '../../src/task-base/redis-place.js'
import { parseRedisUrl } from '../../src/task-base/redis-url.js'

describe('a Redis URL', () => {
  it('gives host, port, database and credentials, decoded', () => {
    assert.deepEqual(parseRedisUrl('redis://ada:p%40ss%2F1@db1:6380/3'), {
      form: 'single',
      nodes: [{ host: 'db1', port: 6380 }],
      username: 'ada',
      password: 'p@ss/1',
      db: 3,
    })
  })

  it('has port 6379, database 0 and no credentials unless it says so', () => {
    const { nodes, db, username, password } = parseRedisUrl('redis://localhost')
    assert.deepEqual([nodes, db, username, password], [[{ host: 'localhost', port: 6379 }], 0, undefined, undefined])
  })

  it('asks for TLS as rediss and takes an IPv6 address', () => {
    const place = parseRedisUrl('rediss://[::1]:7000/?servername=db.internal')
    assert.deepEqual([place.tls, place.nodes], [{ servername: 'db.internal' }, [{ host: '::1', port: 7000 }]])
    assert.equal(shownPlace(place), 'rediss://[::1]:7000/0')
  })

  it('names sentinels, the primary and a database, and who talks to whom', () => {
    const place = parseRedisUrl('redis+sentinel://ada:s3cret@a:26380,b,[::1]:1/my%20master/2?sentinelPassword=wh0')
    assert.deepEqual(place, {
      form: 'sentinel',
      nodes: [
        { host: 'a', port: 26_380 },
        { host: 'b', port: 26_379 },
        { host: '::1', port: 1 },
      ],
      primary: 'my master',
      username: 'ada',
      password: 's3cret',
      db: 2,
      sentinel: { password: 'wh0' },
    })
  })

  it('names nodes of a cluster, whose one database is 0', () => {
    const { form, nodes, tls } = parseRedisUrl('rediss+cluster://:pw@a:7000,b')
    assert.deepEqual(
      [form, nodes, tls],
      [
        'cluster',
        [
          { host: 'a', port: 7000 },
          { host: 'b', port: 6379 },
        ],
        {},
      ],
    )
    assert.throws(() => parseRedisUrl('redis+cluster://a/1'), usageError(/no database but 0, got 1/))
  })

  it('with a parameter that it does not know is refused, and the parameter named', () => {
    assert.throws(() => parseRedisUrl('redis://h/0?famly=4&tls=1'), usageError(/'famly'; it takes none/))
    assert.throws(() => parseRedisUrl('rediss://h?certs=x'), usageError(/'certs'; did you mean "cert"/))
    assert.throws(() => parseRedisUrl('redis://h?ca=/ca.pem'), usageError(/for TLS, ca: write rediss/))
    assert.throws(() => parseRedisUrl('redis+cluster://h?sentinelPassword=x'), usageError(/it takes none/))
  })

  it('whose certificate cannot be read is refused, and the path named', () => {
    assert.throws(() => parseRedisUrl('rediss://h?ca=/no/such.pem'), usageError(/ca=\/no\/such\.pem .*ENOENT/))
  })

  it('of another scheme, without a host, a primary, or with a path that is no number is refused', () => {
    const wrong = ['http://h', 'h:6379', '', 'redis:///0', 'redis://h/jobs', 'redis://h/-1', 'redis://a,b/0']
    const others = [
      'redis+sentinel://h',
      'redis+sentinel://h,/m',
      'redis+sentinel:///m',
      'redis+x://h',
      'redis+cluster://',
    ]
    for (const url of [...wrong, ...others]) assert.throws(() => parseRedisUrl(url), UsageError, url)
  })

  it('is never quoted with its password when it is refused', () => {
    for (const url of [
      'redis://u:s3cret@h/jobs',
      'redis://u:s3cret%@h',
      'redis://u:s3cret@h?x=1',
      'redi://u:s3cret@h',
      'redis+sentinel://u:s3cret@h',
      'redis+sentinel://h/m?sentinelPasword=s3cret',
      'redis+cluster://u:s3cret@h,i/1',
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
