import type { Command } from 'commander'
import { UsageError } from '../lock/error.js'
import type { App } from '../task-base/app.js'
import { readQueue } from '../task-base/call-term.js'
import type { Connection } from '../task-base/connection.js'
import { type Purged, purgeQueue } from '../task-base/purge.js'
import { confirmed, needsAnswer } from './confirm.js'
import { EXIT, type ExitCode } from './exit.js'
import { didNothing } from './nothing.js'
import { jsonText, print, say } from './print.js'
import { addCommand, exiting, type GlobalFlags } from './program.js'
import { withTarget } from './target.js'
import { servedQueues } from './unserved.js'

interface PurgeFlags extends GlobalFlags {
  readonly yes?: true
  readonly force?: true
  readonly json?: true
}

interface Waiting {
  readonly queue: string
  readonly waiting: number
  readonly delayed: number
  readonly active: number
}

const EXAMPLES = `
beatlock -A ./app.js purge
beatlock --app shop purge reports slow --yes --json`
const NOTE = `
Messages that wait, retries and countdowns included, end as PURGED and free their keys; parked calls behind them
have their turn. What runs is left alone, and so are parked calls: see locks clear --parked.
Exit code 3: none of these queues is known, nothing was ever published to them and no worker serves them.`

/** `purge [queue…]`: ends what waits in queues. */
export function addPurgeCommand(parent: Command): void {
  addCommand(parent, 'purge', 'ends all calls that wait in queues; their keys are free, they never run', EXAMPLES)
    .argument('[queues...]', 'queues to purge; default: the queue default')
    .option('--yes', 'do not ask; needed where there is no terminal')
    .option('-f, --force', 'the same, in the words of Celery')
    .option('--json', 'an array, one object a queue: app, queue, purged, running, promoted')
    .addHelpText('after', NOTE)
    .action(
      exiting((queues: readonly string[], _, command: Command) => purge(queues, command.optsWithGlobals<PurgeFlags>())),
    )
}

async function purge(named: readonly string[], given: PurgeFlags): Promise<ExitCode> {
  const queues = [...new Set(named.length === 0 ? ['default'] : named)].map((queue) => readQueue('purge', queue))
  const flags: PurgeFlags = given.force ? { ...given, yes: true } : given
  needsAnswer('purge', flags)
  return withTarget(flags, 'purge', async ({ app, scope, shown }) => {
    if (scope === 'server') throw new UsageError('purge needs the app: -A ./app.js, or --app NAME.')
    say(`queues of ${await shown()}`)
    const connection = await app.connection()
    const unknown = await unknownQueues(app, queues)
    if (unknown.length === queues.length) return didNothing(unknownText(unknown), flags, EXIT.nothing)
    if (unknown.length > 0) say(unknownText(unknown))
    if (!flags.yes && !(await agreed(connection, queues))) return didNothing('nothing was purged.', flags, EXIT.failed)
    return purgeAll(app, queues, flags)
  })
}

/** Of these queues, those that are most likely misspelt. */
async function unknownQueues(app: App, queues: readonly string[]): Promise<readonly string[]> {
  const { engine } = (await app.connection()).servers
  const known = new Set([...(await engine.queues()), ...(await servedQueues(app)), 'default'])
  return queues.filter((queue) => !known.has(queue))
}

function unknownText(queues: readonly string[]): string {
  const them = queues.length === 1 ? 'it' : 'them'
  return `${queues.join(', ')}: nothing was ever published to ${them}, and no worker serves ${them}.`
}

async function agreed({ servers }: Connection, queues: readonly string[]): Promise<boolean> {
  const counts = await Promise.all(
    queues.map(async (queue): Promise<Waiting> => ({ queue, ...(await servers.engine.counts(queue)) })),
  )
  const lines = counts.map(
    ({ queue, waiting, delayed, active }) =>
      `${queue}: ${waiting} waiting, ${delayed} delayed; ${active} in hand, which are left alone\n`,
  )
  const all = counts.reduce((sum, { waiting, delayed }) => sum + waiting + delayed, 0)
  return confirmed(lines.join(''), `End ${all === 1 ? 'this message' : `these ${all} messages`}?`)
}

async function purgeAll(app: App, queues: readonly string[], flags: PurgeFlags): Promise<ExitCode> {
  const connection = await app.connection()
  const all: ({ readonly app: string; readonly queue: string } & Purged)[] = []
  for (const queue of queues) {
    const tally: Purged = { purged: 0, running: 0, promoted: 0 }
    try {
      await purgeQueue(connection, queue, tally)
    } catch (error) {
      say(`of ${queue} ${countText(tally.purged)} purged before this:`)
      throw error
    }
    all.push({ app: app.name, queue, ...tally })
    if (!flags.json) await print(`${queue}: ${describe(tally)}\n`)
  }
  if (flags.json) await print(`${jsonText(all, 2)}\n`)
  return EXIT.done
}

function describe({ purged, running, promoted }: Purged): string {
  const left = running === 0 ? '' : `; ${running} had begun to run and ${running === 1 ? 'was' : 'were'} left alone`
  const turns =
    promoted === 0 ? '' : `; ${promoted} parked ${promoted === 1 ? 'call has its' : 'calls have their'} turn`
  return `${countText(purged)} purged${turns}${left}`
}

function countText(count: number): string {
  return count === 1 ? '1 message was' : `${count} messages were`
}
