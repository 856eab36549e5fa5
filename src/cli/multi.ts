import type { Command } from 'commander'
import { parseDuration } from '../lock/duration.js'
import { UsageError } from '../lock/error.js'
import { suggest } from '../lock/suggest.js'
import { EXIT, type ExitCode } from './exit.js'
import { refuseBadOptions } from './multi-check.js'
import { type Planned, planWorkers, shownArgv } from './multi-plan.js'
import { type Done, type Patience, restartOne, startOne, stopOne } from './multi-run.js'
import { readPidfile } from './pidfile.js'
import { jsonText, print, terminalWidth } from './print.js'
import { addCommand, exiting, type GlobalFlags } from './program.js'
import { Table } from './table.js'

interface MultiFlags extends GlobalFlags {
  readonly pidfile: string
  readonly logfile: string
  readonly timeout?: string
  readonly json?: true
}

const EXAMPLES = `
beatlock -A ./app.js multi start w1 w2 -c 4 -Q:w1 reports -B:w2
beatlock -A ./app.js multi restart w1 w2 -c 4 -Q:w1 reports -B:w2
beatlock multi stop w1 w2 --pidfile /run/shop/%n.pid
beatlock multi show w1 w2 --json`
const NOTE = `
Options of worker follow the names: for all, or with :NAME for one. Each worker is a process of its own, detached,
with its log in --logfile and its pid in --pidfile; %n is its name, %h the host. Folders that are missing are made. A
pidfile that a dead worker left is found out, also when another process has its pid by now.
start waits until each takes messages. stop lets each finish what runs. restart does that one worker after the other,
with the options that it is given, and ends at the first that fails. Options are read before any worker is stopped.
Exit codes: 1 one failed, or ran already at start; 3 none of them runs (stop, show).`
const VERBS = ['start', 'stop', 'restart', 'show'] as const
type Verb = (typeof VERBS)[number]

/** `multi start|stop|restart|show w1 w2 …`: several workers on one host. */
export function addMultiCommand(parent: Command): void {
  addCommand(parent, 'multi', 'starts, stops and shows several workers on this host', EXAMPLES)
    .argument('<verb>', VERBS.join(', '))
    .argument('<names...>', 'names of workers, then options of worker')
    .option('--pidfile <pattern>', 'where each pid is kept', '%n.pid')
    .option('--logfile <pattern>', 'where each log is appended to', '%n.log')
    .option('--timeout <duration>', 'how long to wait for each; default: 1m to be ready, 6m to have ended')
    .option('--json', 'show: an array, one object a worker: name, state, pid, pidfile, logfile, command')
    .allowUnknownOption()
    .addHelpText('after', NOTE)
    .action(
      exiting((verb: string, words: readonly string[], _: unknown, command: Command) => {
        const worker = parent.commands.find((each) => each.name() === 'worker')
        const flags = command.optsWithGlobals<MultiFlags>()
        const { pidfile, logfile } = flags
        const plan = { flags, patterns: { pidfile, logfile }, options: worker?.options ?? [] }
        return multi(readVerb(verb), planWorkers(words, plan), flags)
      }),
    )
}

function readVerb(text: string): Verb {
  const verb = VERBS.find((each) => each === text)
  if (verb) return verb
  throw new UsageError(`multi: the verb must be ${VERBS.join(', ')}, got '${text}'${suggest(text, VERBS)}.`)
}

/** A worker bounds its own end: by 5 min, unless it is told otherwise. */
function readPatience(timeout: string | undefined): Patience {
  if (timeout === undefined) return { readyMs: 60_000, endMs: 360_000 }
  const ms = parseDuration(timeout, '--timeout', { minMs: 100 })
  return { readyMs: ms, endMs: ms }
}

async function multi(verb: Verb, workers: readonly Planned[], flags: MultiFlags): Promise<ExitCode> {
  const patience = readPatience(flags.timeout)
  if (flags.json && verb !== 'show') throw new UsageError(`multi ${verb} has no --json; ask multi show.`)
  if (flags.app !== undefined) throw new UsageError('multi: -A names the app; leave --app out.')
  if (verb === 'show') return show(workers, flags)
  if (verb !== 'stop' && flags.A === undefined) throw new UsageError(`multi ${verb} needs the app's code: -A ./app.js.`)
  if (verb !== 'stop') await refuseBadOptions(workers, flags)
  if (verb === 'restart') return restart(workers, patience)
  const act = verb === 'start' ? startOne : stopOne
  const all = await Promise.all(workers.map((worker) => told(worker, act(worker, patience))))
  return exitOf(verb, all)
}

/** One after the other: the rest goes on working, and a bad start is not repeated. */
async function restart(workers: readonly Planned[], patience: Patience): Promise<ExitCode> {
  for (const [at, worker] of workers.entries()) {
    const done = await told(worker, restartOne(worker, patience))
    if (done.outcome === 'started') continue
    for (const { name } of workers.slice(at + 1)) await print(`${name}: left as it is\n`)
    return EXIT.failed
  }
  return EXIT.done
}

function exitOf(verb: 'start' | 'stop', all: readonly Done[]): ExitCode {
  if (all.some(({ outcome }) => outcome === 'failed' || (verb === 'start' && outcome !== 'started'))) return EXIT.failed
  return all.every(({ outcome }) => outcome === 'down') ? EXIT.nothing : EXIT.done
}

/** One that cannot be started or stopped must not hide what became of the others. */
async function told({ name, logfile }: Planned, act: Promise<Done>): Promise<Done> {
  const done = await act.catch((error: unknown): Done => {
    if (error instanceof UsageError) return { outcome: 'failed', why: error.message }
    throw error
  })
  await print(`${name}: ${describe(done, logfile)}\n`)
  return done
}

function describe(done: Done, logfile: string): string {
  switch (done.outcome) {
    case 'started':
      return `started, pid ${done.pid}, log ${logfile}`
    case 'stopped':
      return `stopped, pid ${done.pid}`
    case 'runs':
      return `runs already, pid ${done.pid}; restart takes new options`
    case 'down':
      return 'did not run'
    case 'failed':
      return `failed: ${done.why}`
  }
}

async function show(workers: readonly Planned[], { json }: MultiFlags): Promise<ExitCode> {
  const rows = workers.map((worker) => {
    const found = readPidfile(worker.pidfile)
    const { name, pidfile, logfile } = worker
    const pid = found.state === 'down' ? null : found.pid
    return { name, state: found.state, pid, pidfile, logfile, command: ['node', ...shownArgv(worker)] }
  })
  if (json) await print(`${jsonText(rows, 2)}\n`)
  else {
    const table = new Table(['NAME', 'STATE', 'PID', 'PIDFILE', 'LOG'], terminalWidth())
    await print(table.lines(rows.map((row) => [row.name, row.state, String(row.pid ?? '-'), row.pidfile, row.logfile])))
  }
  return rows.some(({ state }) => state === 'running') ? EXIT.done : EXIT.nothing
}
