import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { projectRoot } from '../support/project-root.js'
import { fixture, runCommand, startCommand } from './command.js'

const SHOP = ['-A', fixture('shop')]

/** The command line, and what its one sentence must name. */
const CASES: readonly [what: string, args: readonly string[], sentence: RegExp][] = [
  ['an unknown command', ['wrker'], /unknown command 'wrker'; did you mean worker\?/],
  ['an unknown option', ['worker', '--concurency', '3'], /unknown option '--concurency'; did you mean --concurrency\?/],
  [
    'an option that only Celery has',
    [...SHOP, 'worker', '--prefetch-multiplier', '3'],
    /unknown option '--prefetch-multiplier'/,
  ],
  ['an unknown level', [...SHOP, 'status', '-l', 'debg'], /-l must be .* got 'debg'; did you mean "debug"\?/],
  ["a level of Celery's", [...SHOP, 'status', '-l', 'WARNING'], /-l must be .* got 'WARNING'; did you mean "warn"\?/],
  [
    'limits of a call in the wrong order',
    [...SHOP, 'call', 'fails', '--soft-time-limit', '10s', '--time-limit', '5s'],
    /call: a --soft-time-limit of 10000 ms is never reached before the --time-limit of 5000 ms/,
  ],
  ['a worker without its app', ['worker'], /worker needs the app's code: -A/],
  ['an app module that does not exist', ['-A', './nope.js', 'worker'], /app module \.\/nope\.js does not exist/],
  ['an app module that is a folder', ['-A', '.', 'worker'], /app module \. is a folder; name the file in it/],
  [
    'an app module that does not load',
    ['-A', fixture('broken'), 'worker'],
    /does not load: RangeError: the shop is closed/,
  ],
  ['a module that exports no app', ['-A', fixture('no-app'), 'worker'], /exports no app: write `export const app/],
  ['two tasks with one name', ['-A', fixture('twin-task'), 'worker'], /two tasks are named 'feeds\.refresh'/],
  [
    'an unknown task',
    [...SHOP, 'call', 'feeds.refrsh'],
    /has no task 'feeds\.refrsh'; did you mean "feeds\.refresh"\?/,
  ],
  [
    'an unknown task of an entry',
    ['-A', fixture('bad-entry-task'), 'beat'],
    /calls the task 'feeds\.refrsh'.*did you mean "feeds\.refresh"\?/,
  ],
  ['schedule text', ['-A', fixture('bad-schedule'), 'beat'], /refresh-7.*61 \* \* \* \*/],
  [
    'schedule text, before a worker starts',
    ['-A', fixture('bad-schedule'), 'worker', '-B'],
    /refresh-7.*61 \* \* \* \*/,
  ],
  [
    'a verb of multi',
    [...SHOP, 'multi', 'stert', 'w1'],
    /the verb must be start, stop, restart, show, got 'stert'; did you mean "start"\?/,
  ],
  ['a broker URL', [...SHOP, '--broker', 'redsi://user:secret@db', 'worker'], /'redsi:\/\/db' is no server URL/],
  ['a broker URL of a command', ['--broker', 'redsi://db', 'locks', 'list'], /'redsi:\/\/db' is no server URL/],
  ['a duration', ['locks', 'list', '--older-than', '5 min'], /`--older-than` to be a duration.*got `5 min`/],
  ['a duration of a call', [...SHOP, 'call', 'fails', '--countdown', '30'], /`--countdown`.*write '30s'/],
  [
    'limits of a worker in the wrong order',
    [...SHOP, 'worker', '--soft-time-limit', '10s', '--time-limit', '5s'],
    /worker: a --soft-time-limit of 10000 ms is never reached before the --time-limit of 5000 ms/,
  ],
  ['a limit of a call', [...SHOP, 'call', 'fails', '--time-limit', '5'], /`--time-limit`.*write '5s'/],
  ['a priority of a call', [...SHOP, 'call', 'fails', '--priority', 'high'], /priority must be a whole number from 0/],
  ['a payload that JSON would change', [...SHOP, 'call', 'feeds.refresh', '--args', '[-0]'], /args\[0\] is -0/],
  [
    'arguments that are no JSON',
    [...SHOP, 'call', 'feeds.refresh', '--args', '[7'],
    /--args must be a JSON array.*got \[7/,
  ],
  [
    'an unknown argument name',
    [...SHOP, 'call', 'feeds.refresh', '--kwargs', '{"feedID":7}'],
    /no argument 'feedID'; did you mean "feedId"\?/,
  ],
  [
    'an overlap policy',
    [...SHOP, 'call', 'feeds.refresh', '--overlap', 'skp'],
    /overlap must be.*did you mean "skip"\?/,
  ],
  [
    'a policy that there is not',
    [...SHOP, 'call', 'feeds.refresh', '--overlap', 'quue'],
    /overlap must be .* got "quue"; did you mean "queue"\?/,
  ],
  ['a number of children', [...SHOP, 'worker', '-c', '0'], /-c must be a whole number from 1 to 1000, got '0'/],
  ['a pool', [...SHOP, 'worker', '-P', 'gevent'], /-P must be prefork or solo, got 'gevent'/],
  ['a queue', [...SHOP, 'worker', '-Q', 'a,b:c'], /-Q: queue must be a name.*"b:c"/],
  ['a stage', ['locks', 'list', '--stage', 'runing'], /--stage must be .* got 'runing'; did you mean "running"\?/],
  [
    'memory: looked at from another process',
    ['--broker', 'memory:', 'locks', 'list'],
    /memory: lives inside one process/,
  ],
  [
    'a beat beside a memory: worker',
    [...SHOP, '--broker', 'memory:', 'worker', '-B'],
    /memory: lives inside one process/,
  ],
  ['a clear without a terminal', ['locks', 'clear', 'x'], /no terminal to ask on; add --yes/],
  [
    'arguments by name given in order',
    [...SHOP, 'call', 'feeds.refresh', '--args', '{"feedId":7}'],
    /--args takes .* write --kwargs '?\{"feedId":7\}'?\./,
  ],
  ['an id that no call has', [...SHOP, 'result', 'a b'], /result: id must be 1 to 100 of .* got "a b"/],
  [
    'a timetable that is not there',
    [...SHOP, 'schedule', 'list', '--store', `file:${join(tmpdir(), 'beatlock-typo')}`],
    /no timetable at file:.*beatlock-typo; name the file of beat --store, or make one with schedule add/,
  ],
  ['--now alone', ['locks', 'clear', 'x', '--yes', '--now'], /--now needs --force/],
]

describe('bad input ends a command with exit code 2 and one sentence', () => {
  let folder: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'beatlock-cli-'))
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  for (const [what, args, sentence] of CASES) {
    it(`names ${what}, and starts nothing`, async () => {
      const place = join(folder, 'embedded')
      const broker = args.includes('--broker') ? [] : ['--broker', `embedded:${place}`]
      const { code, stdout, stderr } = await runCommand([...args, ...broker])
      assert.equal(code, 2, stderr)
      assert.match(stderr, sentence)
      assert.match(stderr, /^beatlock: [^\n]+\n$/, 'one sentence, no stack')
      assert.equal(stdout, '')
      assert.ok(!existsSync(join(tmpdir(), 'beatlock-typo')), 'a timetable was made')
      assert.ok(!existsSync(place), 'an embedded server was made')
    })
  }

  it('says how to make a module of an app that Node takes for CommonJS, as npm init sets it', async () => {
    writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }')
    for (const line of ["import { App } from 'beatlock'", 'export const app = 1']) {
      writeFileSync(join(folder, 'app.js'), line)
      const { code, stderr } = await runCommand(['-A', join(folder, 'app.js'), 'worker'])
      assert.equal(code, 2)
      assert.match(stderr, /^beatlock: app module \S+ does not load: .*; .* set "type": "module" in its package\.json/m)
    }
  })

  it('says how to find a mistake of syntax in a module of an app, or in one that it imports', async () => {
    const place = join(folder, 'syntax')
    mkdirSync(place)
    writeFileSync(join(place, 'app.mjs'), "import './tasks.mjs'")
    writeFileSync(join(place, 'tasks.mjs'), 'export const = 1')
    const { code, stderr } = await runCommand(['-A', join(place, 'app.mjs'), 'worker'])
    assert.equal(code, 2)
    assert.match(stderr, /does not load: SyntaxError: .*; node \S+app\.mjs shows where\.\n$/)
  })

  it("names the file that is meant by a module's name as Python has it", async () => {
    const cwd = join(folder, 'names')
    mkdirSync(join(cwd, 'shop'), { recursive: true })
    for (const file of ['app.mjs', 'shop/tasks.js']) writeFileSync(join(cwd, file), '')
    for (const [named, meant] of [
      ['app', './app.mjs'],
      ['shop.tasks', './shop/tasks.js'],
      ['nope', './app.js'],
    ] as const) {
      const { code, stderr } = await startCommand(['-A', named, 'worker'], 'beatlock', { cwd }).ended
      assert.deepEqual([code, stderr.split('; ').at(-1)], [2, `name its file: -A ${meant}.\n`])
    }
  })

  it('hides the password of a URL that it refuses', async () => {
    const { stderr } = await runCommand(['--broker', 'redsi://user:secret@db', 'status'])
    assert.doesNotMatch(stderr, /secret/)
  })

  it('tells one-shot commands apart: without a running embedded server they say so and start none', async () => {
    const place = join(folder, 'none')
    const { code, stderr } = await runCommand(['--broker', `embedded:${place}`, 'list'], 'locks')
    assert.equal(code, 2)
    assert.match(stderr, /no embedded server is running .* start a worker or beat/)
    assert.ok(!existsSync(place))
  })

  it('tells its version', async () => {
    const { version } = JSON.parse(readFileSync(join(projectRoot(), 'package.json'), 'utf8')) as { version: string }
    for (const bin of ['beatlock', 'locks'] as const) {
      assert.deepEqual(await runCommand(['--version'], bin), { code: 0, stdout: `${version}\n`, stderr: '' })
    }
  })

  it('teaches with --help, which is no failure', async () => {
    const { code, stdout } = await runCommand(['call', '--help'])
    assert.equal(code, 0)
    assert.match(stdout, /Examples:\n {2}beatlock -A \.\/app\.js call feeds\.refresh/)
  })
})
