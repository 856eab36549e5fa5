import assert from 'node:assert/strict'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { Command } from 'commander'
import { planWorkers, shownArgv } from '../../src/cli/multi-plan.js'
import { addWorkerCommand } from '../../src/cli/worker.js'
import { UsageError } from '../../src/index.js'

const parent = new Command()
addWorkerCommand(parent)
const options = parent.commands[0]?.options ?? []
const PATTERNS = { pidfile: '%n.pid', logfile: '%n.log' }
const flags = { A: './app.js', broker: 'redis://me:secret@db/0', logLevel: 'info' } as const

const plan = (words: string, patterns = PATTERNS) => planWorkers(words.split(' '), { flags, patterns, options })

/** [the words, what the sentence says, patterns] */
const REFUSED: readonly [string, RegExp, Partial<typeof PATTERNS>?][] = [
  ['-c 4', /multi needs the names of workers/],
  ['x1 x2', /--pidfile one\.pid would be shared by 2 workers; write %n/, { pidfile: 'one.pid' }],
  ['x1', /'%x' of '%x\.log' means nothing; %n is the name/, { logfile: '%x.log' }],
  ['x1 x1', /'x1' is named twice/],
  [`x1 x1@${hostname()}`, /'x1@.*' is named twice/],
  ['x1@a x2 x1@b', /--pidfile %n\.pid would be shared by 2 workers; write .* %N where their hosts differ/],
  ['x1@a x1@b', /--logfile %n\.log would be shared by 2 workers/, { pidfile: '%N.pid' }],
  ['x/1', /-n must be a name such as w1 .*; %h is this host\), got 'x\/1'/],
  ['x1@%d', /-n must be a name such as w1 .* got 'x1@%d'/],
  ['x1 --concurency 4', /no option '--concurency'; did you mean "--concurrency"/],
  ['x1 -c 4 x2', /no option 'x2'; names come before options/],
  ['x1 -c:x2 4', /-c:x2 names no worker of this call: x1; did you mean "x1"/],
  ['x1 -c', /-c needs a value/],
  ['x1 -B=yes', /-B takes no value, got 'yes'/],
  ['x1 -n y', /-n is given to each worker by multi itself/],
]

describe('the workers that multi starts', () => {
  it('have the options of all and, counting more, their own; flags with and without a value', () => {
    const [w1, w2] = plan('w1 w2@db2 -c:w1 8 -c 4 -Q=a,b -B:w2@db2')
    const name = `w1@${hostname()}`
    const global = ['-A', './app.js', '--broker', flags.broker, '-l', 'info']
    assert.deepEqual(w1?.argv.slice(1), [
      ...[...global, 'worker', '-n', name, '--pidfile', resolve('w1.pid')],
      ...['-c', '4', '-Q', 'a,b', '-c', '8'],
    ])
    assert.deepEqual(
      [w1?.name, w1?.logfile, w2?.name, w2?.pidfile],
      [name, resolve('w1.log'), 'w2@db2', resolve('w2.pid')],
    )
    assert.deepEqual(w2?.argv.slice(-5), ['-c', '4', '-Q', 'a,b', '-B'])
  })

  it("are named as Celery's: %h is this host", () => {
    assert.equal(plan('x1@%h')[0]?.name, `x1@${hostname()}`)
  })

  it('have files by the patterns, and are shown without the secrets of URLs', () => {
    const [w1] = plan('w1@db2', { pidfile: '/run/%N-%h.pid', logfile: '/log/100%%.log' })
    assert.deepEqual([w1?.pidfile, w1?.logfile], [`/run/w1@db2-${hostname()}.pid`, '/log/100%.log'])
    const shown = shownArgv(w1 ?? assert.fail())
    assert.ok(shown.includes('redis://db/0') && !shown.join(' ').includes('secret'))
  })

  for (const [words, sentence, patterns] of REFUSED) {
    it(`are refused before one starts: ${words}`, () => {
      assert.throws(
        () => plan(words, { ...PATTERNS, ...patterns }),
        (error: Error) => error instanceof UsageError && sentence.test(error.message),
      )
    })
  }
})
