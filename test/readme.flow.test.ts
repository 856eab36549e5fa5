import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Command, type Ended, startCommand, startScript } from './cli/command.js'
import { projectRoot } from './support/project-root.js'
import { type RedisServer, startRedis } from './support/redis-server.js'

const readme = readFileSync(join(projectRoot(), 'README.md'), 'utf8')
const [appCode = '', callCode = '', retryCode = '', sharedCode = '', , , entryCode = ''] = blocks('js')
const [worker = [], call = [], list = []] = commands(blocks('sh')[0] ?? '')

/** Calls the task of the section on shared state as often as it takes for each of two children to have had a turn. */
const GREETINGS = `import { app, greet } from './greeter.js'
const ends = []
while (ends.length < 2 || ends.every(({ seen, greeted }) => seen === greeted)) {
  const calls = await Promise.all([greet.delay(), greet.delay()])
  ends.push(...(await Promise.all(calls.map((call) => call.get({ timeout: '20s' })))))
}
console.log(JSON.stringify(ends))
await app.close()
`

/** The task of the section on retries, asked for a place where nobody answers. */
const FETCHES = `import { App, QueueOnce } from 'beatlock'
import { runTask } from 'beatlock/testing'
${retryCode}
const app = new App('fetches')
app.register(Fetch)
const { outcome, countdownMs, error } = await runTask(app, 'fetch', [{ url: 'http://127.0.0.1:9/' }])
console.log(outcome, countdownMs <= 2_000, error.name)
await app.close()
`

describe("the README's code, on a real server", function () {
  this.timeout(120_000)
  let server: RedisServer
  let folder: string
  const started: Command[] = []

  before(async () => {
    server = await startRedis()
    // Inside the repository, where `beatlock` is this very package.
    mkdirSync(join(projectRoot(), '.build'), { recursive: true })
    folder = mkdtempSync(join(projectRoot(), '.build', 'readme-'))
    put('app.js', appCode)
    put(
      'call.js',
      `import { app, refresh } from './app.js'\n${callCode}console.log(result.outcome, value)\nawait app.close()\n`,
    )
    put('greeter.js', sharedCode)
    put('greetings.js', GREETINGS)
    put('fetches.js', FETCHES)
    put('nightly.js', `import { App } from 'beatlock'\n${entryCode}export { nightly as app }\n`)
    await start(worker).saw('entry refresh-7: feeds.refresh, every 5m')
  })

  after(async () => {
    try {
      for (const { child } of started) child.kill('SIGTERM')
      for (const { ended } of started) assert.equal((await ended).code, 0)
    } finally {
      for (const { child } of started) child.kill('SIGKILL')
      await server?.stop()
      if (folder) rmSync(folder, { recursive: true, force: true })
    }
  })

  it('calls the task of its first lines and prints its value', async () => {
    const { code, stdout, stderr } = await run(call)
    assert.equal(code, 0, stderr)
    assert.match(stdout, /^published feeds\.refresh as \S+\n"feed 7 is fresh, token \d+"\n$/)
  })

  it('calls from code: waits for a result, defers by a countdown, sends by name', async () => {
    const { code, stdout, stderr } = await startScript(join(folder, 'call.js'), [], here()).ended
    assert.equal(code, 0, stderr)
    assert.match(stdout, /^published feed 7 is fresh, token \d+\n$/)
  })

  it('retries by the rule of its section', async () => {
    const { code, stdout, stderr } = await startScript(join(folder, 'fetches.js'), [], here()).ended
    assert.equal(code, 0, stderr)
    assert.equal(stdout, 'retried true TypeError\n')
  })

  it('counts in shared state what a variable in each of two children cannot', async () => {
    await start(['-A', './greeter.js', 'worker', '-c', '2']).saw('tasks greet')
    const { code, stdout, stderr } = await startScript(join(folder, 'greetings.js'), [], here()).ended
    assert.equal(code, 0, stderr)
    const ends = JSON.parse(stdout) as { seen: number; greeted: number }[]
    const greeted = ends.map((end) => end.greeted).sort((a, b) => a - b)
    assert.deepEqual(
      greeted,
      ends.map((_, at) => at + 1),
    )
    assert.ok(Math.max(...ends.map(({ seen }) => seen)) < ends.length)
  })

  it('lists what is locked, here the call that counts down in a queue without a worker', async () => {
    const { code, stdout, stderr } = await run(list)
    assert.equal(code, 0, stderr)
    assert.match(stdout, /^LABEL .*\nfeeds\.refresh feedId=7 +queued .* no \(no worker consumes slow\) /)
    assert.match(stderr, new RegExp(`locks of all apps on redis://127\\.0\\.0\\.1:${server.port}`))
  })

  it('serves the entry of the section on beat', async () => {
    await start(['-A', './nightly.js', 'beat']).saw(
      /entry report: reports\.daily, .*Europe\/Berlin, overlap skip, next /,
    )
  })

  function put(name: string, code: string): void {
    assert.notEqual(code.trim(), '')
    writeFileSync(join(folder, name), code)
  }

  function here() {
    return { cwd: folder, env: { BEATLOCK_BROKER: server.url } }
  }

  function start(args: readonly string[]): Command {
    const command = startCommand(args, 'beatlock', here())
    started.push(command)
    return command
  }

  function run(args: readonly string[]): Promise<Ended> {
    return startCommand(args, 'beatlock', here()).ended
  }
})

/** The fenced blocks of one language, in order. */
function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map((match) => match[1] ?? '')
}

/** The arguments of each `npx beatlock`, as a shell takes them. */
function commands(shell: string): string[][] {
  return [...shell.matchAll(/^npx beatlock (.*?)(?:\s+#.*)?$/gm)].map(([, text = '']) =>
    [...text.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? ''),
  )
}
