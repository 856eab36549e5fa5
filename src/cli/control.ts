import type { Command } from 'commander'
import { UsageError } from '../lock/error.js'
import { printable } from '../lock/printable.js'
import type { AskOptions, Replies } from '../task-base/ask-workers.js'
import type { Control } from '../task-base/control.js'
import { LOG_LEVELS } from '../task-base/worker-command.js'
import { type AskFlags, addAskOptions, readAskOptions, type Told, tellAnswers, toldBy } from './ask.js'
import { EXIT, type ExitCode } from './exit.js'
import { print, say } from './print.js'
import { addCommand, readLevel } from './program.js'
import { withTarget } from './target.js'

/** What one of the commands does, and how its answer is told. */
interface Steer {
  readonly usage: string
  readonly description: string
  readonly ask: (control: Control, value: string, options: AskOptions) => Promise<Replies<unknown>>
  readonly answered: (answer: never) => string
  /** Whether a worker that answered had nothing to do for it. */
  readonly idle?: (answer: never) => boolean
}

const EXAMPLES = `
beatlock -A ./app.js control grow 2 --destination w1@db2
beatlock -A ./app.js control add-queue reports
beatlock -A ./app.js control shutdown --destination w1,w2`

const concurrency = (answer: { readonly concurrency: number }) => `runs up to ${answer.concurrency} at once`
const queues = (answer: { readonly queues: readonly string[] }) => `serves ${answer.queues.join(', ') || 'no queue'}`

const STEERS: readonly Steer[] = [
  {
    usage: 'grow <number>',
    description: 'so many processes more, in each worker',
    ask: (control, value, options) => control.grow(readNumber('grow', value), options),
    answered: concurrency,
  },
  {
    usage: 'shrink <number>',
    description: 'so many processes fewer; what runs is finished, and one stays',
    ask: (control, value, options) => control.shrink(readNumber('shrink', value), options),
    answered: concurrency,
  },
  {
    usage: 'add-queue <queue>',
    description: 'serve one queue more, until the worker ends',
    ask: (control, value, options) => control.addQueue(value, options),
    answered: queues,
  },
  {
    usage: 'cancel-queue <queue>',
    description: 'take nothing more of a queue; what was taken is finished',
    ask: (control, value, options) => control.cancelQueue(value, options),
    answered: queues,
    // One of an earlier version does not say.
    idle: ({ served }: { readonly served?: boolean }) => served === false,
  },
  {
    usage: 'shutdown',
    description: 'stop warm, as by SIGTERM',
    ask: (control, _, options) => control.shutdown(options),
    answered: ({ running }: { readonly running: number }) =>
      running === 0 ? 'is stopping' : `is stopping: it waits for ${running} ${running === 1 ? 'run' : 'runs'}`,
  },
  {
    usage: 'log-level <level>',
    description: `log ${LOG_LEVELS.join(', ')} and above, until the worker ends; a beat inside (-B) keeps its own`,
    ask: (control, value, options) => control.logLevel(readLevel('log-level', value), options),
    answered: ({ level }: { readonly level: string }) => `logs ${level} and above`,
  },
]

/** `control …`: steers workers while they run. */
export function addControlCommands(parent: Command): void {
  const control = addCommand(parent, 'control', 'steers workers while they run', EXAMPLES)
  for (const steer of STEERS) {
    const name = steer.usage.split(' ')[0] as string
    const example = `beatlock -A ./app.js control ${steer.usage.replace('<number>', '2').replace('<queue>', 'reports').replace('<level>', 'debug')}`
    addAskOptions(addCommand(control, steer.usage, steer.description, example), ([value], flags) =>
      tell(steer, { name, value: value ?? '', flags }),
    )
  }
}

async function tell(
  { ask, answered, idle }: Steer,
  { name, value, flags }: { readonly name: string; readonly value: string; readonly flags: AskFlags },
): Promise<ExitCode> {
  const options = readAskOptions(flags)
  return withTarget(flags, `control ${name}`, async (target) => {
    if (target.scope === 'server') throw new UsageError('control needs the app: -A ./app.js, or --app NAME.')
    const { app } = target
    say(`${name} for workers of ${await target.shown()}`)
    const told = toldBy(app.name, await ask(app.control, value, options))
    const line = ({ worker, answer }: Told) => `${printable(worker)} ${printable(answered(answer as never))}\n`
    const shown = () =>
      print(
        told
          .filter(({ outcome }) => outcome === 'answered')
          .map(line)
          .join(''),
      )
    const code = await tellAnswers(told, { json: flags.json ?? false, asked: 'change', shown })
    if (code !== EXIT.done || !idle || !told.every(({ answer }) => idle(answer as never))) return code
    say(`none of them served '${printable(value)}': nothing was changed.`)
    return EXIT.nothing
  })
}

function readNumber(name: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new UsageError(`${name} takes a whole number of processes, such as 2, got '${text}'.`)
}
