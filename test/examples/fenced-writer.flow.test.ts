import assert from 'node:assert/strict'
import { join } from 'node:path'
import { startScript } from '../cli/command.js'
import { projectRoot } from '../support/project-root.js'
import { withRedis } from '../support/redis-client.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'

const RUN = join(projectRoot(), 'examples/fenced-writer/run.js')

describe('the example of a fenced writer', function () {
  this.timeout(60_000)
  let server: RedisServer
  before(async () => {
    server = await startRedis()
  })
  after(() => server?.stop())

  it('[P5] a process that was stopped past its lease is refused by what its successor has written', async () => {
    const env = { BEATLOCK_BROKER: server.url }
    const { code, stdout, stderr } = await startScript(RUN, [], { env }).ended
    assert.equal(code, 0, stderr)
    const [, first] = /^first +has the lock with token (\d+)/m.exec(stdout) ?? []
    const [, second] = /^second +has it with token (\d+)/m.exec(stdout) ?? []
    assert.ok(Number(second) > Number(first), stdout)
    assert.ok(stdout.includes(`its fenced write is refused: token ${first} is lower than ${second}`), stdout)
    assert.match(stdout, /^report by plain SET: +first\nreport by fencedWrite\(\): +second$/m)
    const left = await withRedis(server, (redis) => redis.keys('*fence*'))
    assert.deepEqual(
      left.filter((key) => !key.startsWith('{bl:')),
      [],
    )
  })

  it('says in one line which server does not answer', async () => {
    const env = { BEATLOCK_BROKER: 'redis://user:secret@127.0.0.1:1/0' }
    const { code, stdout, stderr } = await startScript(RUN, [], { env }).ended
    assert.deepEqual([code, stdout], [1, ''])
    assert.match(stderr, /^127\.0\.0\.1:1: .+\n$/)
  })
})
