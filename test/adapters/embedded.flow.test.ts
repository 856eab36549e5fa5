import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { chmod, chown, mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { type Account, reachable, unprivilegedAccount } from '../../adapters/embedded/account.js'
import { openEmbedded } from '../../adapters/embedded/index.js'
import type { Address } from '../../adapters/embedded/session.js'
import { until } from '../support/until.js'

const USER = fileURLToPath(new URL('../support/embedded-user.js', import.meta.url))

interface Opened {
  readonly outcome: 'started' | 'adopted'
  readonly connection: Address
  readonly folder: string
}
type Answer = Opened | { readonly outcome: 'failed'; readonly name: string; readonly message: string }

interface User {
  readonly answer: Answer
  readonly process: ChildProcess
  close(): Promise<void>
  kill(): Promise<void>
}

const root = process.getuid?.() === 0
const nobody = root ? await unprivilegedAccount() : undefined

suite('as this user', undefined)
if (nobody && (await reachable(USER, nobody, 0o4))) suite('as an ordinary user', nobody)

function suite(who: string, account: Account | undefined): void {
  describe(`an embedded server ${who}`, () => {
    let home: string
    let dir: string
    const users: User[] = []
    const folders = new Set<string>()

    // One cluster serves most tests: to make one takes longer than all else. Each test starts and ends its server.
    before(async () => {
      home = await mkdtemp(join(tmpdir(), 'beatlock-emb-'))
      await chmod(home, 0o755)
      if (account) await chown(home, account.uid, account.gid)
      dir = join(home, '.beatlock')
    })

    afterEach(async () => {
      for (const user of users.splice(0)) await user.kill()
      for (const folder of folders) {
        const pid = await postmasterPid(folder)
        if (pid !== undefined && alive(pid)) {
          process.kill(pid, 'SIGQUIT')
          await until(() => !alive(pid), { what: 'the server to end' })
        }
      }
    })

    after(async () => {
      for (const folder of [...folders, home]) await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    })

    async function use(mayStart: 'yes' | 'no' = 'yes', at = dir): Promise<User> {
      const child = fork(USER, [at, mayStart], { ...account, env: { ...process.env, HOME: home }, cwd: home })
      const [answer] = (await once(child, 'message')) as [Answer]
      if (answer.outcome !== 'failed') folders.add(answer.folder)
      const user: User = {
        answer,
        process: child,
        close: async () => {
          const exit = once(child, 'exit')
          child.send('close')
          assert.deepEqual(await exit, [0, null])
        },
        kill: async () => {
          if (child.exitCode !== null || child.signalCode !== null) return
          const exit = once(child, 'exit')
          child.kill('SIGKILL')
          await exit
        },
      }
      users.push(user)
      return user
    }

    async function open(at = dir): Promise<User & { readonly answer: Opened }> {
      const user = await use('yes', at)
      assert.notEqual(user.answer.outcome, 'failed', JSON.stringify(user.answer))
      return user as User & { readonly answer: Opened }
    }

    it('is made, started and answers; a second process adopts it', async () => {
      const first = await open()
      assert.equal(first.answer.outcome, 'started')
      assert.equal((await ask(first.answer.connection, 'select 41 + 1 as n'))['n'], 42)
      const second = await open()
      assert.deepEqual(second.answer, { ...first.answer, outcome: 'adopted' })
    })

    it('is started once by five processes at once', async () => {
      const fresh = join(home, 'five')
      const all = await Promise.all([1, 2, 3, 4, 5].map(() => open(fresh)))
      const outcomes = all.map(({ answer }) => answer.outcome).sort()
      const log = await readFile(join(fresh, 'postgres.log'), 'utf8').catch(String)
      assert.deepEqual(outcomes, ['adopted', 'adopted', 'adopted', 'adopted', 'started'], log)
      const passwords = new Set(all.map(({ answer }) => answer.connection.password))
      assert.equal(passwords.size, 1)
    })

    it('lives on when its starter is killed, with what was written', async () => {
      const starter = await open()
      await ask(starter.answer.connection, 'create table kept as select 7 as n')
      await starter.kill()
      const next = await open()
      assert.equal(next.answer.outcome, 'adopted')
      assert.equal((await ask(next.answer.connection, 'select n from kept'))['n'], 7)
    })

    it('is started again by a process that uses it when the postmaster is killed', async () => {
      const user = await open()
      const before = await postmasterPid(user.answer.folder)
      assert.ok(before)
      process.kill(before, 'SIGKILL')
      await until(async () => ![undefined, before].includes(await postmasterPid(user.answer.folder)))
      await until(() => ask(user.answer.connection, 'select 1 as n').catch(() => false))
      await user.close()
      await until(async () => (await postmasterPid(user.answer.folder)) === undefined)
    })

    it('is started by the next to open it when both starter and postmaster were killed', async () => {
      const starter = await open()
      await starter.kill()
      process.kill((await postmasterPid(starter.answer.folder)) ?? 0, 'SIGKILL')
      const next = await open()
      assert.equal(next.answer.outcome, 'started')
    })

    it('is stopped by the last one that leaves, not before', async () => {
      const [first, second] = [await open(), await open()]
      const pid = await postmasterPid(first.answer.folder)
      assert.ok(pid)
      await first.close()
      await ask(second.answer.connection, 'select 1')
      await second.close()
      await until(() => !alive(pid), { what: 'the postmaster to end' })
    })

    it('is stopped exactly once, and started anew, while others come and go', async () => {
      const first = await open()
      const [, next] = await Promise.all([first.close(), open()])
      await ask(next.answer.connection, 'select 1')
    })

    it('keeps its socket in the temp directory where the path is too long for one', async () => {
      const long = join(home, 'x'.repeat(60), 'y'.repeat(60))
      const user = await open(long)
      const socketDir = user.answer.connection.host
      assert.equal(user.answer.folder, long)
      assert.ok(socketDir !== long && Buffer.byteLength(socketDir) <= 93, socketDir)
      assert.equal((await stat(socketDir)).mode & 0o777, 0o700)
      await ask(user.answer.connection, 'select 1')
      await user.close()
      await assert.rejects(stat(socketDir), { code: 'ENOENT' })
    })

    it('is not started by a process that may not, which makes nothing', async () => {
      const fresh = join(home, 'none')
      const { answer } = await use('no', fresh)
      assert.ok(answer.outcome === 'failed')
      assert.equal(answer.name, 'UsageError')
      assert.equal(
        answer.message,
        `no embedded server is running in ${fresh}: start a worker or beat, or name a server with --broker`,
      )
      await assert.rejects(stat(fresh), { code: 'ENOENT' })
    })

    it('is adopted by a process that may not start one', async () => {
      await open()
      assert.equal((await use('no')).answer.outcome, 'adopted')
    })

    it('is private: folder 0700, password 0600, both of its account', async () => {
      const { answer } = await open()
      const [folder, password] = [await stat(answer.folder), await stat(join(answer.folder, 'pg', 'password'))]
      assert.deepEqual([folder.mode & 0o777, password.mode & 0o777], [0o700, 0o600])
      assert.equal(password.uid, folder.uid)
      assert.notEqual(folder.uid, 0)
    })

    it('is refused in a folder that others may write in', async () => {
      const open = join(home, 'open')
      await mkdir(open)
      await chmod(open, 0o777)
      if (account) await chown(open, account.uid, account.gid)
      const { answer } = await use('yes', open)
      assert.ok(answer.outcome === 'failed')
      assert.match(answer.message, /others may write in .*chmod 700/)
    })

    it('leaves nothing that keeps a process alive', async () => {
      const user = await open()
      const exit = once(user.process, 'exit')
      user.process.disconnect()
      assert.deepEqual(await exit, [0, null])
    })
  })
}

;(root ? describe : describe.skip)('an embedded server of root', () => {
  it('lives in the temp directory where its account cannot come to the folder or the programs', async () => {
    const closed = await mkdtemp(join(tmpdir(), 'beatlock-emb-'))
    const dir = join(closed, '.beatlock')
    const server = await openEmbedded({ dir, mayStart: true })
    try {
      assert.match(server.folder, /\/beatlock-[0-9a-f]{16}$/)
      assert.equal((await stat(server.folder)).uid, nobody?.uid)
      await ask(server.connection, 'select 1')
    } finally {
      await server.close()
      await rm(server.folder, { recursive: true, force: true })
      await rm(closed, { recursive: true, force: true })
    }
  })

  it('is refused to an ordinary user whose it is not', async () => {
    const home = await mkdtemp(join(tmpdir(), 'beatlock-emb-'))
    const dir = join(home, '.beatlock')
    try {
      await chmod(home, 0o777)
      await mkdir(dir, { mode: 0o755 })
      const child = fork(USER, [dir, 'yes'], { ...nobody, cwd: home })
      const [answer] = (await once(child, 'message')) as [Answer]
      assert.ok(answer.outcome === 'failed')
      assert.match(answer.message, /belongs to uid 0/)
    } finally {
      await rm(home, { recursive: true, force: true })
    }
  })
})

async function ask(connection: Address, text: string): Promise<Record<string, unknown>> {
  const client = new pg.Client(connection)
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(text)).rows[0] ?? {}
  } finally {
    await client.end()
  }
}

async function postmasterPid(folder: string): Promise<number | undefined> {
  const text = await readFile(join(folder, 'pg', 'data', 'postmaster.pid'), 'utf8').catch(() => undefined)
  return text === undefined ? undefined : Number.parseInt(text, 10)
}

/** A process that ended and that nobody has reaped yet counts as gone. */
function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return process.platform !== 'linux' || !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
