import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clearStale, readPidfile } from '../../src/cli/pidfile.js'
import { UsageError } from '../../src/index.js'
import { type Command, startScript } from './command.js'

const PIDFILE = new URL('../../src/cli/pidfile.js', import.meta.url).href
/** Waits for a word, if there is to be one, claims, says how that went, and stays until it is told to end. */
const CLAIMANT = `import { existsSync } from 'node:fs'
import { claimPidfile } from '${PIDFILE}'
process.on('SIGTERM', () => process.exit(0))
const stay = setInterval(() => {}, 1000)
if (process.argv[3]) {
  process.stdout.write('here ')
  while (!existsSync(process.argv[3]));
}
try {
  claimPidfile(process.argv[2])
  console.log('claimed')
} catch (error) {
  console.log(error.message)
  clearInterval(stay)
}
`

describe('a pidfile', () => {
  let folder: string
  let path: string
  const started: Command[] = []
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'beatlock-pid-'))
    path = join(folder, 'w1.pid')
    writeFileSync(join(folder, 'claim.mjs'), CLAIMANT)
  })
  afterEach(async () => {
    for (const { child, ended } of started.splice(0)) {
      child.kill('SIGKILL')
      await ended
    }
    rmSync(folder, { recursive: true, force: true })
  })

  function claim(at?: string): Command {
    const command = startScript(join(folder, 'claim.mjs'), at === undefined ? [path] : [path, at])
    started.push(command)
    return command
  }

  it('says who has it, is whole, and goes with its process', async () => {
    const { child, saw, ended } = claim()
    await saw('claimed')
    assert.deepEqual(readdirSync(folder).sort(), ['claim.mjs', 'w1.pid'])
    assert.equal(readFileSync(path, 'utf8').split('\n')[0], String(child.pid))
    const found = readPidfile(path)
    assert.ok(found.state === 'running' && found.pid === child.pid)
    assert.throws(() => clearStale(path), says(new RegExp(`a worker has it that runs, pid ${child.pid}`)))
    child.kill('SIGTERM')
    await ended
    assert.ok(!existsSync(path))
    assert.deepEqual(readPidfile(path), { state: 'down' })
  })

  it('of a killed process is taken over by one of many that want it at once', async () => {
    const first = claim()
    await first.saw('claimed')
    first.child.kill('SIGKILL')
    await once(first.child, 'exit')
    assert.equal(readPidfile(path).state, 'stale')
    // And of somebody who died while he took it over.
    const [pid = '', born = ''] = readFileSync(path, 'utf8').split('\n')
    const dead = await diedAtOnce()
    writeFileSync(`${path}.after.${pid}.${born.replace('beatlock ', '')}`, dead)
    const go = join(folder, 'go')
    const all = Array.from({ length: 5 }, () => claim(go))
    await Promise.all(all.map(({ saw }) => saw('here ')))
    writeFileSync(go, '')
    await Promise.all(all.map(({ saw }) => saw('\n')))
    const claimed = all.filter(({ output }) => output.stdout === 'here claimed\n')
    assert.deepEqual(claimed.length, 1, all.map(({ output }) => output.stdout).join(''))
    assert.deepEqual(readdirSync(folder).sort(), ['claim.mjs', 'go', 'w1.pid'])
    const found = readPidfile(path)
    assert.ok(found.state === 'running' && found.pid === claimed[0]?.child.pid)
  })

  it('of another machine or container is judged by nobody here', async () => {
    const { child, saw } = claim()
    await saw('claimed')
    const [pid = '', born = ''] = readFileSync(path, 'utf8').split('\n')
    child.kill('SIGKILL')
    await once(child, 'exit')
    writeFileSync(path, `${pid}\n${born.replace(/\w$/, (last) => (last === '0' ? '1' : '0'))}\n`)
    assert.deepEqual(readPidfile(path), { state: 'elsewhere', pid: child.pid })
    await claim().saw(/is of pid \d+ on another machine or in another container; write %h into --pidfile/)
    assert.ok(existsSync(path))
  })

  it('that is something else is left as it is', () => {
    for (const text of ['', '1234\n', 'notes']) {
      writeFileSync(path, text)
      assert.throws(() => readPidfile(path), says(/w1\.pid is no pidfile of beatlock; remove it/))
      assert.throws(() => clearStale(path), says(/is no pidfile of beatlock/))
      assert.equal(readFileSync(path, 'utf8'), text)
    }
    assert.throws(() => readPidfile(folder), says(/cannot be read: EISDIR/))
  })

  /** What the pidfile of a process said that was killed. */
  async function diedAtOnce(): Promise<string> {
    const elsewhere = join(folder, 'other.pid')
    const command = startScript(join(folder, 'claim.mjs'), [elsewhere])
    started.push(command)
    await command.saw('claimed')
    const text = readFileSync(elsewhere, 'utf8')
    command.child.kill('SIGKILL')
    await once(command.child, 'exit')
    rmSync(elsewhere)
    return text
  }

  function says(sentence: RegExp) {
    return (error: Error) => error instanceof UsageError && sentence.test(error.message)
  }
})
