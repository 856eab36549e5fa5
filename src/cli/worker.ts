import { availableParallelism } from 'node:os'
import type { Command } from 'commander'
import { parseDuration } from '../lock/duration.js'
import { UsageError } from '../lock/error.js'
import { suggest } from '../lock/suggest.js'
import { parseByteSize } from '../task-base/byte-size.js'
import { LEAST_LIMIT_MS, readQueue, refuseLateSoftLimit } from '../task-base/call-term.js'
import { type Autoscale, MOST_CHILDREN, readAutoscale, readMaxTasks } from '../task-base/worker-options.js'
import type { ExitCode } from './exit.js'
import { claimPidfile } from './pidfile.js'
import { addCommand, exiting, type GlobalFlags } from './program.js'
import { processName } from './served-app.js'

export interface WorkerFlags extends GlobalFlags {
  readonly beat?: true
  readonly concurrency?: string
  readonly pool?: string
  readonly queues?: string
  readonly name?: string
  readonly softTimeLimit?: string
  readonly timeLimit?: string
  readonly pidfile?: string
  readonly maxTasksPerChild?: string
  readonly maxMemoryPerChild?: string
  readonly autoscale?: string
  readonly shutdownTimeout?: string
}

/** The options of `worker`, as read. */
export interface WorkerChoice {
  readonly beat: boolean
  readonly name: string
  readonly concurrency: number
  readonly pool: 'prefork' | 'solo'
  readonly queues: readonly string[]
  readonly softTimeLimitMs: number | null
  readonly timeLimitMs: number | null
  /** Here and below, null: as the app says. */
  readonly maxTasksPerChild: number | null
  readonly maxMemoryBytes: number | null
  /** Undefined: a fixed number, which a given -c is. */
  readonly autoscale: Autoscale | null | undefined
  readonly shutdownMs: number | null
}

const POOLS = ['prefork', 'solo'] as const
const SIGNALS = `
The log goes to stdout, one readable line an event; what tasks print goes where it was printed to, each line with its child.
SIGTERM or Ctrl-C: finish what runs; a second time: kill it, it is delivered again.
SIGHUP: replace all children, which load the app's code anew; what runs is finished.
What the app says under \`worker\` counts where no option is given.`
const EXAMPLES = `
beatlock -A ./app.js worker -B
beatlock -A ./app.js worker -c 8 -Q default,reports -n w1 --time-limit 10m`

/** `worker`: runs tasks, and with -B also a beat. `act`: what is done with its options instead. */
export function addWorkerCommand(parent: Command, act: (flags: WorkerFlags) => Promise<ExitCode> = startWorker): void {
  addCommand(parent, 'worker', 'runs tasks in child processes; with -B also a beat', EXAMPLES)
    .option('-B, --beat', 'also run a beat, in a process of its own that dies with the worker')
    .option('-c, --concurrency <number>', 'how many runs at once; default: the number of cores')
    .option('-P, --pool <pool>', 'prefork: child processes; solo: in the worker itself, one at a time', 'prefork')
    .option('-Q, --queues <names>', 'queues to serve, separated by commas', 'default')
    .option('-n, --name <name>', 'unique within the app; @host is added, %h is the host. Default: w<pid>')
    .option(
      '--soft-time-limit <duration>',
      'abort the signal of a run after this long, where neither call nor task sets it',
    )
    .option('--time-limit <duration>', 'kill a run after this long, where neither call nor task sets it')
    .option(
      '--pidfile <path>',
      'keep the pid here while the worker runs; refuse to start where another that runs has it',
    )
    .option('--max-tasks-per-child <number>', 'replace a child after so many tasks; default: never')
    .option('--max-memory-per-child <size>', 'replace a child that needs more after a task: 300mb (kb, mb, gb)')
    .option('--autoscale <max,min>', 'from min children to max: more while messages wait, fewer after 30 s idle')
    .option('--shutdown-timeout <duration>', 'kill what still runs this long after SIGTERM; default: 5m')
    .addHelpText('after', SIGNALS)
    .action(exiting((_, command: Command) => act(command.optsWithGlobals<WorkerFlags>())))
}

/** Loaded when it is needed: the log and the timetable cost every other command its start. */
async function startWorker(flags: WorkerFlags): Promise<ExitCode> {
  const choice = readChoice(flags)
  if (flags.pidfile !== undefined) claimPidfile(flags.pidfile)
  const { runWorker } = await import('./worker-run.js')
  return runWorker(flags, choice)
}

/** @throws UsageError that names the option, the value and the cure */
export function readChoice(flags: WorkerFlags): WorkerChoice {
  const pool = readPool(flags.pool)
  const softTimeLimitMs = readLimit('--soft-time-limit', flags.softTimeLimit)
  const timeLimitMs = readLimit('--time-limit', flags.timeLimit)
  const named = ['--soft-time-limit', '--time-limit'] as const
  refuseLateSoftLimit('worker', { softTimeLimitMs, timeLimitMs, named })
  return {
    beat: flags.beat ?? false,
    name: processName('w', flags.name),
    pool,
    concurrency: readConcurrency(flags.concurrency, pool),
    queues: readQueues(flags.queues ?? ''),
    softTimeLimitMs,
    timeLimitMs,
    ...readRecycling(flags, pool),
    autoscale: readScale(flags, pool),
    shutdownMs: flags.shutdownTimeout === undefined ? null : parseDuration(flags.shutdownTimeout, '--shutdown-timeout'),
  }
}

function readPool(text: string | undefined): WorkerChoice['pool'] {
  const pool = POOLS.find((each) => each === text)
  if (pool) return pool
  throw new UsageError(`-P must be prefork or solo, got '${text}'${suggest(text ?? '', POOLS) || '.'}`)
}

function readConcurrency(text: string | undefined, pool: WorkerChoice['pool']): number {
  if (text === undefined) return pool === 'solo' ? 1 : availableParallelism()
  const number = /^\d+$/.test(text) ? Number(text) : 0
  if (number < 1 || number > MOST_CHILDREN)
    throw new UsageError(`-c must be a whole number from 1 to ${MOST_CHILDREN}, got '${text}'.`)
  if (pool === 'solo' && number > 1)
    throw new UsageError(`-c ${number}: the solo pool runs one at a time; leave -c out, or use -P prefork.`)
  return number
}

function readRecycling(flags: WorkerFlags, pool: string): Pick<WorkerChoice, 'maxTasksPerChild' | 'maxMemoryBytes'> {
  const { maxTasksPerChild: tasks, maxMemoryPerChild: memory } = flags
  if (pool === 'solo' && (tasks ?? memory) !== undefined)
    throw new UsageError('--max-tasks-per-child and --max-memory-per-child need child processes; use -P prefork.')
  return {
    maxTasksPerChild: tasks === undefined ? null : readMaxTasks('--max-tasks-per-child', numberOf(tasks)),
    maxMemoryBytes: memory === undefined ? null : parseByteSize(memory, '--max-memory-per-child'),
  }
}

function readScale({ autoscale, concurrency }: WorkerFlags, pool: string): Autoscale | null | undefined {
  if (autoscale === undefined) return concurrency === undefined && pool === 'prefork' ? null : undefined
  const [, max, min] = /^(\d+),(\d+)$/.exec(autoscale) ?? []
  if (max === undefined || min === undefined)
    throw new UsageError(`--autoscale must be two numbers, max,min: 8,2; got '${autoscale}'.`)
  if (concurrency !== undefined || pool === 'solo')
    throw new UsageError('--autoscale says how many children there are: leave -c out, and use -P prefork.')
  return readAutoscale('--autoscale', { max: Number(max), min: Number(min) })
}

function numberOf(text: string): number | string {
  return /^\d+$/.test(text) ? Number(text) : text
}

function readQueues(text: string): readonly string[] {
  return [...new Set(text.split(',').map((name) => readQueue('-Q', name.trim())))]
}

function readLimit(option: string, text: string | undefined): number | null {
  return text === undefined ? null : parseDuration(text, option, { minMs: LEAST_LIMIT_MS })
}
