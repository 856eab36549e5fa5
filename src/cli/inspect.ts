import type { Command } from 'commander'
import { formatDuration } from '../lock/duration.js'
import { UsageError } from '../lock/error.js'
import { suggest } from '../lock/suggest.js'
import type { Control, Inspect } from '../task-base/control.js'
import {
  type ActiveRun,
  INSPECTIONS,
  type Inspection,
  type ReservedMessage,
  type ScheduledMessage,
  type WorkerStats,
} from '../task-base/worker-command.js'
import {
  type AskFlags,
  absentOnce,
  addAskOptions,
  appsAsked,
  readAskOptions,
  type Told,
  tellAnswers,
  toldBy,
} from './ask.js'
import type { ExitCode } from './exit.js'
import { print, say, terminalWidth } from './print.js'
import { addCommand } from './program.js'
import { Table } from './table.js'
import { withTarget } from './target.js'

const EXAMPLES = `
beatlock -A ./app.js inspect active
beatlock --app shop inspect stats --destination w1@db2,w2@db2 --json
beatlock --broker redis://127.0.0.1:6379/0 inspect ping --timeout 2s`
const NOTE = `
  active      what runs, the longest first; arguments that a task hides (redact) are null in --json
  reserved    what a worker has in hand and has not begun
  scheduled   what waits for its time with the broker: workers of a queue tell the same, 100 a queue
  registered  the names of their tasks
  stats       processes, queues, memory, uptime, what was counted (--json)
  ping        who answers at all`

/** How one kind of answer is laid out. */
interface Layout {
  readonly header: readonly string[]
  readonly rows: (answer: never) => readonly (readonly string[])[]
}

const LAYOUTS: Readonly<Record<Inspection, Layout>> = {
  active: {
    header: ['CALL', 'ID', 'QUEUE', 'ATTEMPT', 'RUNNING', 'PID'],
    rows: (runs: readonly ActiveRun[]) =>
      runs.map(({ label, id, queue, attempt, runningMs, pid }) => [
        ...[label, id, queue, String(attempt)],
        ...[formatDuration(Math.max(0, runningMs)), String(pid)],
      ]),
  },
  reserved: {
    header: ['CALL', 'ID', 'QUEUE', 'SINCE'],
    rows: (messages: readonly ReservedMessage[]) =>
      messages.map(({ label, id, queue, since }) => [label, id, queue, since]),
  },
  scheduled: {
    header: ['CALL', 'ID', 'QUEUE', 'ETA'],
    rows: (messages: readonly ScheduledMessage[]) =>
      messages.map(({ label, id, queue, eta }) => [label, id, queue, eta ?? '-']),
  },
  registered: { header: ['TASK'], rows: (tasks: readonly string[]) => tasks.map((task) => [task]) },
  stats: {
    header: ['PID', 'UP', 'POOL', 'CONCURRENCY', 'RUNNING', 'RESERVED', 'QUEUES', 'MEMORY', 'VERSION'],
    rows: (stats: WorkerStats) => [statsRow(stats)],
  },
  ping: { header: ['ANSWER'], rows: (pong: string) => [[pong]] },
}

/** `inspect WHAT`: asks workers; changes nothing. */
export function addInspectCommand(parent: Command): void {
  const command = addCommand(parent, 'inspect', 'asks workers what they do: nothing is changed', EXAMPLES)
    .argument('<what>', INSPECTIONS.join(', '))
    .addHelpText('after', NOTE)
  addAskOptions(command, ([what], flags) => inspect(readWhat(what ?? ''), flags))
}

function readWhat(text: string): Inspection {
  const what = INSPECTIONS.find((each) => each === text)
  if (what) return what
  throw new UsageError(`inspect takes ${INSPECTIONS.join(', ')}, got '${text}'${suggest(text, INSPECTIONS) || '.'}`)
}

async function inspect(what: Inspection, flags: AskFlags): Promise<ExitCode> {
  const options = readAskOptions(flags)
  return withTarget(flags, 'inspect', async (target) => {
    say(`${what} of the workers of ${await target.shown()}`)
    const ask = async (app: string): Promise<Told[]> => {
      const control: Control = target.of(app).control
      const question: keyof Inspect = what
      return toldBy(app, await control.inspect(options)[question]())
    }
    const told = absentOnce((await Promise.all((await appsAsked(target)).map(ask))).flat())
    const shown = () => print(tableOf(what, told, target.scope === 'server'))
    return tellAnswers(told, { json: flags.json ?? false, asked: 'question', shown })
  })
}

function tableOf(what: Inspection, told: readonly Told[], allApps: boolean): string {
  const { header, rows } = LAYOUTS[what]
  const table = new Table(['WORKER', ...(allApps ? ['APP'] : []), ...header], terminalWidth())
  const answered = told.filter(({ outcome }) => outcome === 'answered')
  return table.lines(
    answered.flatMap(({ app, worker, answer }) =>
      rows(answer as never).map((row) => [worker, ...(allApps ? [app] : []), ...row]),
    ),
  )
}

function statsRow({ pid, uptimeMs, pool, concurrency, running, reserved, queues, memory, version }: WorkerStats) {
  const counts = [concurrency, running, reserved].map(String)
  const mib = `${Math.round(memory / 1_048_576)} MiB`
  return [String(pid), formatDuration(uptimeMs), pool, ...counts, queues.join(',') || '-', mib, version]
}
