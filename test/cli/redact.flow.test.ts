import assert from 'node:assert/strict'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { type Command, fixture, runCommand, startCommand } from './command.js'
import { ODD, SECRET } from './fixture/vault.js'

/** Of these no command prints any but the line feed that ends its lines. */
const UNSAFE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069]/

describe('[P20] all that a worker, its beat and the commands print', function () {
  this.timeout(120_000)
  let server: RedisServer
  let worker: Command
  const printed: string[] = []
  before(async () => {
    server = await startRedis()
    const args = ['--broker', server.url, 'worker', '-B', '-n', 'w1@db2', '-c', '4', '-l', 'debug']
    worker = startCommand(['-A', fixture('vault'), ...args])
    await worker.saw('tasks odd, vault.open')
    await worker.saw('skipped nightly')
  })
  after(async () => {
    worker.child.kill('SIGKILL')
    await worker.ended
    await server.stop()
  })

  async function run(...args: string[]): Promise<number | null> {
    const { code, stdout, stderr } = await runCommand(['-A', fixture('vault'), '--broker', server.url, ...args])
    printed.push(`$ ${args[0]} ${args[1]}\n${stdout}${stderr}`)
    return code
  }
  const all = (): string => [worker.output.stdout, worker.output.stderr, ...printed].join('\n')

  it('holds no hidden argument and no control character, whatever is asked', async () => {
    const call = (task: string, args: unknown[], ...more: string[]) =>
      run('call', task, '--args', JSON.stringify(args), ...more)
    await call('vault.open', [SECRET, 120_000], '--id', 'held')
    await call('odd', [{ text: ODD, ms: 120_000 }], '--id', 'odd-held')
    await worker.saw('started odd')
    assert.equal(await call('vault.open', [`${SECRET}!`, 0, true], '--id', 'stuck', '--wait'), 1)
    await call('odd', [{ text: ODD, ms: 0 }], '--overlap', 'raise')
    const questions = [
      ['locks', 'list'],
      ['locks', 'show', 'vault.open*'],
      ['locks', 'show', 'odd*'],
      ['status'],
      ['status', '--counts'],
      ['schedule', 'list'],
      ['schedule', 'show', 'nightly'],
      ['schedule', 'history', 'nightly'],
      ['result', 'stuck'],
      ['dead', 'list'],
    ]
    await Promise.all(questions.flatMap((asked) => [run(...asked), run(...asked, '--json')]))
    await run('revoke', 'odd-held', '--terminate')
    await run('locks', 'clear', '*', '--force', '--yes', '--json')
    await worker.saw(/stopp|cancel|cleared|revoked/i)
    const text = all()
    assert.match(text, /odd text="odd\\u\{202e\}/, 'what is not hidden is printed')
    assert.match(text, /the door is stuck/)
    assert.doesNotMatch(text, /hunter2/)
    const bad = text.split('\n').filter((line) => UNSAFE.test(line))
    assert.deepEqual(bad, [])
  })
})
