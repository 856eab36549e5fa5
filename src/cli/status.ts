import type { Command } from 'commander'
import { formatDuration } from '../lock/duration.js'
import type { WorkerRow } from '../lock/lock-store.js'
import { differingGuards } from '../task-base/differing-guard.js'
import { WORKER_DEAD_MS } from '../task-base/locks.js'
import { differingText } from './app-log.js'
import { EXIT, type ExitCode } from './exit.js'
import { print, say, terminalWidth } from './print.js'
import { addCommand, exiting, type GlobalFlags } from './program.js'
import { Table } from './table.js'
import { withTarget } from './target.js'

interface StatusFlags extends GlobalFlags {
  readonly json?: true
}

const HEADER = ['NAME', 'APP', 'HOST', 'PID', 'QUEUES', 'CONCURRENCY', 'SEEN', 'TASKS']
const EXAMPLES = `
beatlock -A ./app.js status
beatlock --broker redis://127.0.0.1:6379/0 status --json`

/** `status`: the workers that live, of one app or of all apps of the server. */
export function addStatusCommand(parent: Command): void {
  addCommand(parent, 'status', 'the workers that live: where they run and what they serve', EXAMPLES)
    .option('--json', 'an array, one object a worker')
    .action(exiting((_, command: Command) => status(command.optsWithGlobals<StatusFlags>())))
}

async function status(flags: StatusFlags): Promise<ExitCode> {
  return withTarget(flags, 'status', async (target) => {
    say(`workers of ${await target.shown()}`)
    const { store } = await target.app.connection()
    const now = await store.now()
    const rows = await store.workers({ allApps: target.scope === 'server' })
    const workers = rows.filter((each) => now - each.seenAt < WORKER_DEAD_MS)
    if (flags.json) await print(`${JSON.stringify(workers.map(asJson(now)), null, 2)}\n`)
    else if (workers.length > 0)
      await print(new Table(HEADER, terminalWidth()).lines(workers.map((each) => cells(each, now))))
    else say('no worker runs; start one with beatlock -A ./app.js worker.')
    for (const each of differingGuards(rows, now)) say(differingText(each))
    return EXIT.done
  })
}

function cells(worker: WorkerRow, now: number): string[] {
  const { name, app, host, pid, queues, concurrency, tasks } = worker
  const seen = `${formatDuration(Math.max(0, now - worker.seenAt))} ago`
  return [name, app, host, String(pid), queues.join(','), String(concurrency), seen, tasks.join(',')]
}

function asJson(now: number): (worker: WorkerRow) => object {
  return ({ seenAt, startedAt, ...rest }) => ({
    ...rest,
    startedAt: new Date(startedAt).toISOString(),
    seenAt: new Date(seenAt).toISOString(),
    seenAgoMs: Math.max(0, now - seenAt),
  })
}
