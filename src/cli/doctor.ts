import type { Command } from 'commander'
import { type Examined, type Finding, fine, note, problem, unknown } from '../lock/finding.js'
import { printable } from '../lock/printable.js'
import type { WorkerRow } from '../lock/worker-row.js'
import { differingGuards } from '../task-base/differing-guard.js'
import { WORKER_DEAD_MS } from '../task-base/locks.js'
import { differingText } from './app-log.js'
import { EXIT, type ExitCode, sentenceOf } from './exit.js'
import { jsonText, print, say } from './print.js'
import { addCommand, exiting, type GlobalFlags } from './program.js'
import { queuesOf, unservedText } from './status-queues.js'
import { type Target, withTarget } from './target.js'

interface DoctorFlags extends GlobalFlags {
  readonly json?: true
}

const EXAMPLES = `
beatlock -A ./app.js doctor
beatlock --broker redis://127.0.0.1:6379/0 doctor --json
beatlock --broker postgres://user@db1/app --locks postgres://user@db2/app doctor`

const NOTES = `
Looks at the servers of broker and locks, each node of a quorum, and the app's workers and queues; changes no setting, sets
up no tables and starts nothing. Of each thing: fine; note, what it means and nothing to be mended; problem, with what to do;
unknown, where a user may not see it. Exit codes: 0 no problem, 1 problems, 69 a server cannot be reached.`

/** `doctor`: what the servers' settings mean for locks and messages. */
export function addDoctorCommand(parent: Command): void {
  addCommand(
    parent,
    'doctor',
    "what the servers' settings mean for locks and messages, and what to do about it; guards that differ, queues that nobody consumes",
    EXAMPLES,
  )
    .option('--json', 'an array, one object a finding: server, role, check, verdict, says, cure')
    .addHelpText('after', NOTES)
    .action(exiting((_, command: Command) => doctor(command.optsWithGlobals<DoctorFlags>())))
}

async function doctor(flags: DoctorFlags): Promise<ExitCode> {
  return withTarget(flags, 'doctor', async (target) => {
    const servers = await target.app.examine()
    const reached = servers.every((each) => each.reached)
    const all = reached ? [...servers, await examineFleet(target, servers)] : servers
    if (flags.json) await print(`${jsonText(all.flatMap(asJson), 2)}\n`)
    else await print(all.map(asText).join('\n'))
    return tell(all)
  })
}

function tell(all: readonly Examined[]): ExitCode {
  const away = all.filter(({ reached }) => !reached).map(({ server }) => server)
  const problems = all.flatMap(({ findings }) => findings).filter(({ verdict }) => verdict === 'problem').length
  if (away.length > 0) say(printable(`${away.join(', ')} cannot be reached.`))
  else say(problems === 0 ? 'no problem found.' : `${problems} ${problems === 1 ? 'problem' : 'problems'} found.`)
  if (away.length > 0) return EXIT.unreachable
  return problems === 0 ? EXIT.done : EXIT.failed
}

function asJson({ server, role, findings }: Examined): object[] {
  return findings.map((finding) => ({ server, role, ...finding }))
}

const WIDTH = 'problem'.length

function asText({ server, role, findings }: Examined): string {
  const lines = findings.flatMap(({ check, verdict, says, cure }) => {
    const first = `  ${verdict.padEnd(WIDTH)}  ${check}: ${says}`
    return cure === null ? [first] : [first, `  ${' '.repeat(WIDTH)}  → ${cure}`]
  })
  return [`${server} (${role})`, ...lines].map((line) => `${printable(line)}\n`).join('')
}

/** Workers, guards and queues; servers that refuse to be opened have said why above. */
async function examineFleet(target: Target, servers: readonly Examined[]): Promise<Examined> {
  const server = target.scope === 'server' ? 'all apps' : `app ${target.app.name}`
  const role = 'workers and queues'
  if (servers.some(({ pristine }) => pristine)) return { server, role, reached: true, findings: [UNOPENED] }
  const findings = await fleetFindings(target).catch((error: unknown): Finding[] => [
    unknown('workers', `cannot tell: ${sentenceOf(error, 'no stack')}`),
  ])
  return { server, role, reached: true, findings }
}

const UNOPENED = unknown('workers', 'not looked for: to look would set up, start or bring up to date what is there.')

async function fleetFindings(target: Target): Promise<Finding[]> {
  const { store } = await target.app.connection()
  const now = await store.now()
  const rows = await store.workers({ allApps: target.scope === 'server' })
  const living = rows.filter(({ seenAt }) => now - seenAt < WORKER_DEAD_MS)
  const apps = target.scope === 'server' ? [...new Set(rows.map(({ app }) => app))].sort() : [target.app.name]
  return [workersFinding(living), ...guardFindings(rows, now), ...(await queueFindings(target, { apps, living }))]
}

function workersFinding(living: readonly WorkerRow[]): Finding {
  const versions = [...new Set(living.map(({ version }) => version))].sort()
  if (living.length === 0) return note('workers', 'none lives: calls wait until one does.')
  if (versions.length === 1) return fine('workers', `${living.length} live, of version ${versions[0]}.`)
  return note('workers', `${living.length} live, of versions ${versions.join(', ')}: a deploy that has not ended?`)
}

function guardFindings(rows: readonly WorkerRow[], now: number): Finding[] {
  const differing = differingGuards(rows, now)
  if (differing.length === 0) return [fine('guards', 'living workers guard each task alike.')]
  const cure = 'give all workers the same code; stop those of an earlier deploy.'
  return differing.map((each) => problem('guards', `${differingText(each)}.`, cure))
}

async function queueFindings(target: Target, of: Parameters<typeof queuesOf>[1]): Promise<Finding[]> {
  const unserved = (await queuesOf(target, of)).filter(({ workers }) => workers.length === 0)
  if (unserved.length === 0) return [fine('queues', 'each queue that holds messages is consumed.')]
  return unserved.map((queue) =>
    problem('queues', unservedText(queue), `start a worker with -Q ${queue.name}, or purge it.`),
  )
}
