import type { Command } from 'commander'
import type { BeatRow } from '../beat/schedule-store.js'
import { formatDuration } from '../lock/duration.js'
import type { WorkerRow } from '../lock/worker-row.js'
import { differingGuards } from '../task-base/differing-guard.js'
import { WORKER_DEAD_MS } from '../task-base/locks.js'
import { differingText } from './app-log.js'
import { EXIT, type ExitCode } from './exit.js'
import { jsonText, print, say, terminalWidth } from './print.js'
import { addCommand, exiting, type GlobalFlags } from './program.js'
import { showCounts } from './status-counts.js'
import { QUEUES, type QueueStatus, queueCells, queuesOf, unservedText } from './status-queues.js'
import { Table } from './table.js'
import { type Target, withTarget } from './target.js'

interface StatusFlags extends GlobalFlags {
  readonly json?: true
  readonly counts?: true
}

const BEATS = ['BEAT', 'APP', 'HOST', 'PID', 'LEADS', 'ENTRIES', 'LAG', 'NEXT', 'TICKED', 'SEEN']
const HEADER = ['NAME', 'APP', 'HOST', 'PID', 'QUEUES', 'CONCURRENCY', 'RUNNING', 'VERSION', 'SEEN', 'TASKS']
const EXAMPLES = `
beatlock -A ./app.js status
beatlock --broker redis://127.0.0.1:6379/0 status --json
beatlock --app shop status --counts`

/** `status`: the workers and beats that live and the queues, of one app or of all apps of the server. */
export function addStatusCommand(parent: Command): void {
  addCommand(
    parent,
    'status',
    'the workers and beats that live: where they run, what they serve, which beat leads; queues, and who serves them',
    EXAMPLES,
  )
    .option('--counts', 'instead: what became of all calls, by task; processes add to it every 5 s')
    .option('--json', 'an array, one object a worker, queue or beat, told by `kind`; with --counts one a task')
    .action(exiting((_, command: Command) => status(command.optsWithGlobals<StatusFlags>())))
}

async function status(flags: StatusFlags): Promise<ExitCode> {
  if (flags.counts) return showCounts(flags)
  return withTarget(flags, 'status', async (target) => {
    say(`workers and beats of ${await target.shown()}`)
    const { store } = await target.app.connection()
    const now = await store.now()
    const rows = await store.workers({ allApps: target.scope === 'server' })
    const workers = rows.filter((each) => now - each.seenAt < WORKER_DEAD_MS).sort(byName)
    const beats = await beatsOf(target, workers)
    const apps = target.scope === 'server' ? [...new Set(rows.map(({ app }) => app))].sort() : [target.app.name]
    const queues = await queuesOf(target, { apps, living: workers })
    if (flags.json) {
      const all = [...workers.map(asJson(now)), ...queues.map((queue) => ({ kind: 'queue', ...queue }))]
      await print(`${jsonText([...all, ...beats.map(beatJson)], 2)}\n`)
    } else await showTables({ workers, queues, beats, now })
    for (const queue of queues) if (queue.workers.length === 0) say(unservedText(queue))
    for (const each of differingGuards(rows, now)) say(differingText(each))
    return EXIT.done
  })
}

function byName(a: WorkerRow, b: WorkerRow): number {
  return a.app < b.app || (a.app === b.app && a.name < b.name) ? -1 : 1
}

interface Beat extends BeatRow {
  readonly app: string
  readonly seenAgoMs: number
}

/** Without an app's name: of the apps that have workers. */
async function beatsOf(target: Target, workers: readonly WorkerRow[]): Promise<Beat[]> {
  const apps = target.scope === 'server' ? new Set(workers.map(({ app }) => app)) : [target.app.name]
  const beats: Beat[] = []
  for (const app of apps) {
    const { scheduleStore } = (await target.of(app).connection()).servers
    const now = await scheduleStore.now()
    const rows = await scheduleStore.beats()
    beats.push(...rows.map((row) => ({ ...row, app, seenAgoMs: Math.max(0, now - row.seenAt) })))
  }
  return beats
}

async function showTables(of: {
  readonly workers: readonly WorkerRow[]
  readonly queues: readonly QueueStatus[]
  readonly beats: readonly Beat[]
  readonly now: number
}): Promise<void> {
  const { workers, queues, beats, now } = of
  if (workers.length === 0) say('no worker runs; start one with beatlock -A ./app.js worker.')
  const tables = [
    { header: HEADER, rows: workers.map((each) => cells(each, now)) },
    { header: QUEUES, rows: queues.map(queueCells) },
    { header: BEATS, rows: beats.map(beatCells) },
  ].filter(({ rows }) => rows.length > 0)
  await print(tables.map(({ header, rows }) => new Table(header, terminalWidth()).lines(rows)).join('\n'))
}

/** A beat that was killed stays listed for a minute; how long ago it was seen tells. */
function beatCells(beat: Beat): string[] {
  const { name, app, host, pid, leader, entries, lagMs, nextAt, lastTickAt, seenAgoMs } = beat
  const lag = lagMs === null ? '-' : formatDuration(lagMs)
  const seen = `${formatDuration(seenAgoMs)} ago`
  return [
    name,
    app,
    host,
    String(pid),
    leader ? 'yes' : 'no',
    String(entries),
    lag,
    iso(nextAt) ?? '-',
    iso(lastTickAt) ?? '-',
    seen,
  ]
}

function beatJson({ by, startedAt, seenAt, nextAt, lastTickAt, ...rest }: Beat): object {
  const times = { startedAt: iso(startedAt), seenAt: iso(seenAt), nextAt: iso(nextAt), lastTickAt: iso(lastTickAt) }
  return { kind: 'beat', ...rest, ...times }
}

function iso(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString()
}

function cells(worker: WorkerRow, now: number): string[] {
  const { name, app, host, pid, queues, concurrency, running, version, tasks } = worker
  const seen = `${formatDuration(Math.max(0, now - worker.seenAt))} ago`
  const counts = [String(concurrency), running === undefined ? '-' : String(running)]
  return [name, app, host, String(pid), queues.join(',') || '-', ...counts, version, seen, tasks.join(',')]
}

function asJson(now: number): (worker: WorkerRow) => object {
  return ({ seenAt, startedAt, ...rest }) => ({
    kind: 'worker',
    ...rest,
    startedAt: new Date(startedAt).toISOString(),
    seenAt: new Date(seenAt).toISOString(),
    seenAgoMs: Math.max(0, now - seenAt),
  })
}
