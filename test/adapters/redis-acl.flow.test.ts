import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { openEngine } from '../../adapters/bullmq/index.js'
import { openLockStore } from '../../adapters/redis/index.js'
import { App, BeatlockError, UsageError } from '../../src/index.js'
import { startWorker } from '../../src/worker/worker.js'
import { runCommand } from '../cli/command.js'
import { projectRoot } from '../support/project-root.js'
import { withRedis } from '../support/redis-client.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { until } from '../support/until.js'

/** The README's rules. */
const RULES = aclRules(readFileSync(join(projectRoot(), 'README.md'), 'utf8'))
/** What a user may lack. */
const WISHED = ['+info', '+config|get']

describe('a Redis user with least privilege', function () {
  this.timeout(60_000)
  let server: RedisServer

  before(async () => {
    server = await startRedis()
  })
  after(() => server?.stop())

  async function grant(user: string, rules: readonly string[]): Promise<string> {
    await withRedis(server, async (redis) => {
      await redis.call('ACL', 'SETUSER', user, ...rules)
      await redis.call('ACL', 'LOG', 'RESET')
    })
    return `redis://${user}:secret@127.0.0.1:${server.port}/0`
  }

  /** What was refused since the user was made, but for what is only wished for. */
  async function refusals(): Promise<string[]> {
    const log = await withRedis(server, (redis) => redis.call('ACL', 'LOG', 100))
    // How a client introduces itself, which nobody needs: servers before 7.2 have no rule for it.
    return (log as string[][]).map((fields) => {
      const field = (name: string): string => String(fields[fields.indexOf(name) + 1])
      return `${field('reason')} ${field('object')} in ${field('context')}`
    })
  }

  for (const [what, rules] of [
    ['of the README’s rules', RULES],
    ['of the same without INFO and CONFIG', RULES.filter((rule) => !WISHED.includes(rule))],
  ] as const) {
    it(`${what} serves calls, beats and commands`, async () => {
      const url = await grant('beatlock', rules)
      await serves(url)
      const told = await refusals()
      const needless = ['command client|setinfo in ', 'command client in ']
      const wished = rules === RULES ? needless : [...needless, 'command info in ', 'command config|get in ']
      assert.deepEqual(
        told.filter((each) => !wished.some((start) => each.startsWith(start))),
        [],
      )
    })
  }

  it('is told what is missing, and the rule that cures it, without arguments', async () => {
    const without = (...missing: string[]): string[] => RULES.filter((rule) => !missing.includes(rule))
    const cases: [rules: string[], sentence: RegExp][] = [
      [without('+evalsha'), /its user may not run evalsha; allow it: ACL SETUSER <user> \+evalsha/],
      [without('~{bl:*}:shop:*'), /may not use the keys of this app; allow them: ACL SETUSER <user> ~\{bl:\*\}/],
      [without('+hgetall'), /may not run a command that our scripts use/],
    ]
    for (const [n, [rules, sentence]] of cases.entries()) {
      const url = await grant(`poor${n}`, rules)
      const app = new App('shop', { broker: url })
      const guarded = app.task('guarded', { once: { keys: ['text'] } }, (_: { text: string }) => 1)
      await assert.rejects(
        async () => guarded.delay({ text: 'argument-text' }),
        (error) => {
          assert.ok(error instanceof BeatlockError, String(error))
          assert.match(error.message, sentence)
          assert.doesNotMatch(error.message, /argument-text|:secret/)
          return true
        },
      )
      await app.close()
    }
    const url = await grant('mute', without('+ping', '+evalsha', '+get', '+select', '+sadd', '+hget'))
    const at7 = url.replace(/0$/, '7')
    const opened = [
      () => openLockStore({ app: 'shop', server: 'db1', url: at7 }),
      () => openEngine({ app: 'shop', server: 'db1', redis: { url: at7 } }),
    ]
    for (const open of opened) {
      await assert.rejects(open(), (error) => {
        return error instanceof UsageError && /may not run select; .*\+select/.test(error.message)
      })
    }
  })

  it('is granted just what our scripts and BullMQ’s call', () => {
    const fixed =
      'eval evalsha script|load select ping subscribe unsubscribe multi exec bzpopmin client|setname info config|get'
    // In a cluster, and where an app's data are removed.
    const elsewhere = ['cluster', 'asking', 'scan', 'script']
    const called = new Set([...fixed.split(' '), ...ours(), ...bullmqs()].filter((each) => !elsewhere.includes(each)))
    const granted = RULES.filter((rule) => rule.startsWith('+')).map((rule) => rule.slice(1))
    assert.deepEqual(granted.sort(), [...called].sort())
  })
})

/** A call, one that waits for it, a retry, an entry of a beat, a list, a clear, a purge, by worker and by command. */
async function serves(url: string): Promise<void> {
  const app = new App('shop', { broker: url })
  const double = app.task('double', { once: { keys: [], overlap: 'defer' } }, (n: number) => 2 * n)
  const worker = await startWorker({ app, ...SERVING })
  try {
    const calls = [await double.delay(4), await double.delay(5)]
    assert.deepEqual(await Promise.all(calls.map((call) => call.get({ timeout: '20s' }))), [8, 10])
    await until(async () => (await app.locks.list().next()).done, { what: 'no lock to be left' })
    await app.shared.increment('count')
  } finally {
    await worker.stop('warm')
  }
  const at = ['--broker', url, '--app', 'shop']
  for (const command of [
    ['locks', 'list', ...at],
    ['locks', 'clear', 'double*', '--yes', ...at],
    ['status', ...at],
    ['schedule', 'list', ...at],
    ['purge', 'default', '--yes', ...at],
  ]) {
    const { code, stderr } = await runCommand(command)
    assert.ok(code === 0 || code === 3, `${command.join(' ')}: ${code} ${stderr}`)
  }
}

function aclRules(readme: string): string[] {
  const block = /```text\nACL SETUSER beatlock ([^`]*)```/.exec(readme)?.[1] ?? ''
  return block.split(/\s+/).filter((rule) => rule !== '')
}

function ours(): string[] {
  const folder = join(projectRoot(), 'adapters', 'redis')
  return [
    ...commandsIn(join(folder, 'scripts'), /redis\.p?call\('([A-Z]+)'/g),
    ...commandsIn(folder, /command: '([A-Z]+)'/g),
  ]
}

function bullmqs(): string[] {
  const folder = join(projectRoot(), 'node_modules', 'bullmq', 'dist', 'esm', 'scripts')
  return commandsIn(folder, /(?:rcall|redis\.p?call)\(\s*['"]([A-Za-z]+)/g)
}

function commandsIn(folder: string, pattern: RegExp): string[] {
  const files = readdirSync(folder).filter((name) => /\.(ts|js)$/.test(name))
  return files.flatMap((name) =>
    [...readFileSync(join(folder, name), 'utf8').matchAll(pattern)].map(([, command = '']) => command.toLowerCase()),
  )
}

const SERVING = {
  module: 'none',
  name: 'w1',
  concurrency: 1,
  pool: 'solo',
  queues: ['default'],
  softTimeLimitMs: null,
  timeLimitMs: null,
} as const
