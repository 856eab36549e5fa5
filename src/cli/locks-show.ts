import type { Command } from 'commander'
import { formatDuration } from '../lock/duration.js'
import type { HoldEvent } from '../lock/hold.js'
import type { ParkedView } from '../lock/lock-view.js'
import type { OutcomeRecord } from '../lock/outcome.js'
import { printable } from '../lock/printable.js'
import type { LockDetail, LockInfo } from '../task-base/locks.js'
import { EXIT, type ExitCode } from './exit.js'
import { type FoundLock, findLocks } from './find-locks.js'
import { isWholeKey } from './key-pattern.js'
import { lifeText } from './lock-table.js'
import { nothingMatches } from './nothing.js'
import { jsonText, print, say } from './print.js'
import { addCommand, exiting, type GlobalFlags } from './program.js'
import { type Target, withTarget } from './target.js'

interface ShowFlags extends GlobalFlags {
  readonly json?: true
}

const EXAMPLES = `
locks show -A ./app.js rollup.hourly
locks show --app shop 'import feedId=7' --json`

/** `locks show KEY`: all that is kept about a key: holders, parked calls, how the last messages ended, and which holds ended without theirs. */
export function addLocksShow(parent: Command): void {
  addCommand(parent, 'show', 'all about a key: holders, parked calls, last outcomes', EXAMPLES)
    .argument('<key>', 'a key, its label, a unique beginning of it, or a pattern with * and ? over both')
    .option('--json', 'an array, one object a key: app, key, holders, parked, outcomes, history')
    .action(exiting((key: string, _, command: Command) => show(key, command.optsWithGlobals<ShowFlags>())))
}

async function show(pattern: string, flags: ShowFlags): Promise<ExitCode> {
  return withTarget(flags, 'locks show', async (target) => {
    say(`locks of ${await target.shown()}`)
    const found: [Name, LockDetail][] = []
    for (const lock of await named(target, pattern)) {
      const detail = await target.of(lock.app).locks.show(lock.key)
      if (detail) found.push([lock, detail])
    }
    if (found.length === 0) return nothingMatches(pattern, flags)
    const texts = found.map(([name, detail]) => describe(name, detail))
    await print(flags.json ? `${jsonText(found.map(asJson), 2)}\n` : texts.join('\n'))
    return EXIT.done
  })
}

type Name = Pick<FoundLock, 'app' | 'key' | 'label'>

/** A whole key is looked up also where nobody holds it: its last outcomes are still there. */
async function named(target: Target, pattern: string): Promise<readonly Name[]> {
  if (target.scope !== 'server' && isWholeKey(pattern))
    return [{ app: target.app.name, key: pattern, label: '(not held)' }]
  return findLocks(target, pattern)
}

/** Without values and errors of tasks: `result` tells those. */
function asJson([{ app, key }, { holders, parked, outcomes, history }]: [Name, LockDetail]): object {
  return {
    app,
    key,
    holders,
    parked: parked.map(({ id, since, expiresAt }) => ({
      id,
      since: iso(since),
      expiresAt: expiresAt && iso(expiresAt),
    })),
    outcomes: outcomes.map(({ result: _, error: __, at, ...ended }) => ({ ...ended, at: iso(at) })),
    history: history.map((event) => ({ ...event, at: iso(event.at) })),
  }
}

function describe({ app, key, label }: Name, { holders, parked, outcomes, history }: LockDetail): string {
  return [
    `${printable(holders[0]?.label ?? label)}`,
    `  key      ${printable(key)}`,
    `  app      ${printable(app)}`,
    ...section('holder', holders.filter((each) => each.holder !== null).map(holderText)),
    ...section('parked', parked.map(parkedText)),
    ...section('ended', outcomes.map(outcomeText)),
    ...section('lost', history.map(eventText)),
    '',
  ].join('\n')
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.map((line, i) => `  ${(i === 0 ? title : '').padEnd(8)} ${line}`)
}

function holderText(row: LockInfo): string {
  const on = row.worker === null ? '' : ` on ${printable(row.worker)}`
  const token = row.token === null ? '' : `, token ${row.token}`
  const ttl = row.ttlMs === null ? '' : `, ttl ${formatDuration(Math.max(0, row.ttlMs))}`
  const age = row.ageMs === null ? '' : ` for ${formatDuration(row.ageMs)}`
  return `${printable(row.holder ?? '')} ${row.stage}${age}${on}${ttl}${token}, alive: ${printable(lifeText(row))}`
}

function parkedText({ id, since, expiresAt }: ParkedView): string {
  const expires = expiresAt === null ? '' : `, expires ${iso(expiresAt)}`
  return `${printable(id)} since ${iso(since)}${expires}`
}

/** A hold that ended while its message did not. */
function eventText({ at, event, messageId, by }: HoldEvent): string {
  return `${printable(messageId)} ${event} ${iso(at)}${by === null ? '' : ` by ${printable(by)}`}`
}

function outcomeText(record: OutcomeRecord): string {
  const code = record.code === null ? '' : ` (${printable(record.code)})`
  const into = record.into === null ? '' : `, by ${printable(record.into)}`
  return `${printable(record.messageId)} ${record.outcome}${code}${into} at ${iso(record.at)}`
}

function iso(at: number): string {
  return new Date(at).toISOString()
}
