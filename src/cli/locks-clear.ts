import type { Command } from 'commander'
import type { ClearAnswer, SessionEnd } from '../lock/clear.js'
import { UsageError } from '../lock/error.js'
import type { Holder } from '../lock/hold.js'
import { printable } from '../lock/printable.js'
import { SESSION_GONE } from '../task-base/locks.js'
import { confirmed, needsAnswer } from './confirm.js'
import { EXIT, type ExitCode } from './exit.js'
import { type FoundLock, findLocks } from './find-locks.js'
import { LockTable } from './lock-table.js'
import { didNothing, nothingMatches } from './nothing.js'
import { operator } from './operator.js'
import { jsonText, print, say } from './print.js'
import { addCommand, exiting, type GlobalFlags } from './program.js'
import { type Target, withTarget } from './target.js'

interface ClearFlags extends GlobalFlags {
  readonly parked?: true
  readonly force?: true
  readonly now?: true
  readonly yes?: true
  readonly json?: true
}

const EXAMPLES = `
locks clear -A ./app.js 'import feedId=7'
locks clear --app shop 'reports.*' --parked --yes
locks clear -A ./app.js rollup.hourly --force`

/** `locks clear KEY|PATTERN`: frees keys; the next parked call of each has its turn. */
export function addLocksClear(parent: Command): void {
  addCommand(parent, 'clear', 'frees keys; the next parked call of each has its turn', EXAMPLES)
    .argument('<key>', 'a key, its label, a unique beginning of it, or a pattern with * and ? over both')
    .option('--parked', 'also discard parked calls')
    .option(
      '--force',
      'also stop a running holder that lives; it keeps the key until its body has ended. Of a stopped process whose lease and lock delay are over, end the session that keeps the key',
    )
    .option('--now', 'with --force: drop the hold unseen; the old run and the next may overlap')
    .option('--yes', 'do not ask; needed where there is no terminal')
    .option('--json', 'an array, one object a key: freed, cancelled, kept, discarded, promoted (message ids), sessions')
    .addHelpText('after', '\nExit code 1: a running holder was left alone, or the answer was no.')
    .action(exiting((key: string, _, command: Command) => clear(key, command.optsWithGlobals<ClearFlags>())))
}

async function clear(pattern: string, flags: ClearFlags): Promise<ExitCode> {
  if (flags.now && !flags.force)
    throw new UsageError('locks clear: --now needs --force; together they may let two runs overlap.')
  needsAnswer('locks clear', flags)
  return withTarget(flags, 'locks clear', async (target) => {
    say(`locks of ${await target.shown()}`)
    const found = await findLocks(target, pattern)
    if (found.length === 0) return nothingMatches(pattern, flags)
    if (!flags.yes && !(await agreed(found, target))) return didNothing('nothing was cleared.', flags, EXIT.failed)
    return clearAll(found, target, flags)
  })
}

function agreed(found: readonly FoundLock[], target: Target): Promise<boolean> {
  const table = new LockTable({ width: process.stderr.columns, apps: target.scope === 'server' ? 'all' : 'one' })
  const keys = found.length === 1 ? 'this key' : `these ${found.length} keys`
  return confirmed(table.lines(found.flatMap((lock) => lock.rows)), `Clear ${keys}?`)
}

async function clearAll(found: readonly FoundLock[], target: Target, flags: ClearFlags): Promise<ExitCode> {
  const { parked = false, force = false, now = false } = flags
  const by = operator()
  const cleared: Cleared[] = []
  for (const lock of found) {
    const answer = await target.of(lock.app).locks.clear(lock.key, { parked, force, now, by })
    cleared.push(clearedOf(lock, answer))
    if (!flags.json) await print(describe(lock, answer, flags))
  }
  if (flags.json) await print(`${jsonText(cleared, 2)}\n`)
  return cleared.some((each) => each.kept.length > 0) ? EXIT.failed : EXIT.done
}

interface Cleared {
  readonly app: string
  readonly key: string
  readonly label: string
  readonly freed: readonly string[]
  readonly cancelled: readonly string[]
  readonly kept: readonly string[]
  readonly discarded: readonly string[]
  readonly promoted: string | null
  readonly sessions: readonly SessionEnd[]
}

function clearedOf({ app, key, label }: FoundLock, answer: ClearAnswer): Cleared {
  const { freed, cancelled, kept, discarded, sessions, promotion } = answer
  return {
    app,
    key,
    label,
    freed: freed.map(idOf),
    cancelled: cancelled.map(idOf),
    kept: kept.map(idOf),
    discarded,
    promoted: promotion?.messageId ?? null,
    sessions,
  }
}

function describe({ label, rows }: FoundLock, answer: ClearAnswer, flags: ClearFlags): string {
  const { freed, cancelled, kept, discarded, sessions, promotion } = answer
  const overlap = flags.now ? ' (it may still run: the next run may overlap it)' : ''
  const lines = [
    ...sessions.filter(({ outcome }) => outcome === 'ended').map(endedText),
    ...freed.map((holder) => `freed from ${holderText(holder)}${holder.stage === 'running' ? overlap : ''}`),
    ...cancelled.map((holder) => `stopping ${holderText(holder)}: ${stoppingText(holder, rows)}`),
    ...kept.map((holder) => `left to ${holderText(holder)}: ${keptText(holder, rows, sessions)}`),
    ...discarded.map((id) => `discarded the parked call ${id}`),
    ...(promotion ? [`the parked call ${promotion.messageId} has its turn`] : []),
  ]
  return (lines.length > 0 ? lines : ['was free already']).map((line) => `${printable(`${label}: ${line}`)}\n`).join('')
}

function endedText({ worker, others }: SessionEnd): string {
  const also = others === 0 ? '' : `, and with it ${others} other ${others === 1 ? 'barrier' : 'barriers'} of its own`
  return `ended the database session of ${worker}${also}`
}

function keptText({ id }: Holder, rows: FoundLock['rows'], sessions: ClearAnswer['sessions']): string {
  const session = sessions.find(({ holder }) => holder === id)
  if (session?.outcome === 'denied')
    return 'this login may not end its database session; clear as its own login or one with pg_signal_backend'
  if (session) return 'its database session was told to end and has not yet; clear again'
  const why = whyOf(id, rows)
  if (why === 'stopped') return 'its process is stopped and its database session lives; --force ends that'
  return why === SESSION_GONE ? `${why}; ${FREE_LATER}` : 'it runs and lives; --force stops it'
}

const FREE_LATER = 'the key is free when its lease and lock delay are over'

function stoppingText({ id }: Holder, rows: FoundLock['rows']): string {
  const why = whyOf(id, rows)
  return why === SESSION_GONE ? `${why}; ${FREE_LATER}` : 'the key is free when its body has ended'
}

/** Why a holder did not live when it was looked up. */
function whyOf(id: string, rows: FoundLock['rows']): string | null | undefined {
  return rows.find(({ holder }) => holder === id)?.why
}

function holderText({ id, worker }: Holder): string {
  return worker === null ? id : `${id} on ${worker}`
}

function idOf({ id }: Holder): string {
  return id
}
