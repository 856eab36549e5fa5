import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { parseDuration } from '../lock/duration.js'
import { UsageError } from '../lock/error.js'
import type { Stage } from '../lock/hold.js'
import type { ListQuery } from '../lock/lock-view.js'
import { suggest } from '../lock/suggest.js'
import type { LockInfo } from '../task-base/locks.js'
import { EXIT, type ExitCode } from './exit.js'
import { lockRows } from './lock-rows.js'
import { LockTable } from './lock-table.js'
import { jsonText, print, say, terminalWidth } from './print.js'
import { addCommand, exiting, type GlobalFlags } from './program.js'
import { type Target, withTarget } from './target.js'

interface ListFlags extends GlobalFlags {
  readonly task?: string
  readonly stage?: string
  readonly olderThan?: string
  readonly dead?: true
  readonly json?: true
  readonly watch?: true
}

const STAGES: readonly Stage[] = ['publishing', 'promoting', 'queued', 'running', 'cooling']
const EXAMPLES = `
locks list -A ./app.js
locks list --broker redis://127.0.0.1:6379/0 --older-than 1h --json
locks list --app shop --stage running --watch`
/** Rows that are laid out together: enough for steady columns, few enough to show the first ones at once. */
const PIECE = 100
const WATCH_MS = 1000
const CLEAR_SCREEN = '\u001b[H\u001b[2J'

/** `locks list`: one row a holder, of one app (-A, --app) or of all apps of the server. */
export function addLocksList(parent: Command): void {
  addCommand(parent, 'list', 'one row a holder: what is locked, by whom, since when, is it alive', EXAMPLES)
    .option('--task <task>', 'only locks of this task')
    .option('--stage <stage>', `only ${STAGES.join(', ')}`)
    .option('--older-than <duration>', 'only holders that have had the key at least this long: 90s, 1h')
    .option('--dead', 'only holders that are known not to live')
    .option('--json', 'an array, with keys, tokens and times')
    .option('--watch', 'again each second, until Ctrl-C')
    .action(exiting((_, command: Command) => list(command.optsWithGlobals<ListFlags>())))
}

async function list(flags: ListFlags): Promise<ExitCode> {
  const query = readQuery(flags)
  return withTarget(flags, 'locks list', async (target) => {
    say(`locks of ${await target.shown()}`)
    const show = flags.json ? showJson : showTable
    do {
      if (flags.watch && process.stdout.isTTY) await print(CLEAR_SCREEN)
      await show(wanted(lockRows(target, query), flags), target)
      if (flags.watch) await sleep(WATCH_MS)
    } while (flags.watch)
    return EXIT.done
  })
}

function readQuery({ task, stage, olderThan }: ListFlags): ListQuery {
  const known = STAGES.find((each) => each === stage)
  if (stage !== undefined && !known)
    throw new UsageError(`--stage must be ${STAGES.join(', ')}, got '${stage}'${suggest(stage, STAGES) || '.'}`)
  return {
    ...(task === undefined ? {} : { task }),
    ...(known ? { stage: known } : {}),
    ...(olderThan === undefined ? {} : { olderThanMs: parseDuration(olderThan, '--older-than') }),
  }
}

async function* wanted(rows: AsyncIterable<LockInfo>, { dead }: ListFlags): AsyncGenerator<LockInfo> {
  for await (const row of rows) if (!dead || row.alive === false) yield row
}

async function showJson(rows: AsyncIterable<LockInfo>): Promise<void> {
  let before = '['
  for await (const row of rows) {
    await print(`${before}\n  ${jsonText(row)}`)
    before = ','
  }
  await print(before === '[' ? '[]\n' : '\n]\n')
}

async function showTable(rows: AsyncIterable<LockInfo>, target: Target): Promise<void> {
  const table = new LockTable({ width: terminalWidth(), apps: target.scope === 'server' ? 'all' : 'one' })
  let shown = 0
  for await (const piece of pieces(rows)) {
    await print(table.lines(piece))
    shown += piece.length
  }
  if (shown === 0) say('nothing is locked.')
}

async function* pieces(rows: AsyncIterable<LockInfo>): AsyncGenerator<LockInfo[]> {
  let piece: LockInfo[] = []
  for await (const row of rows) {
    piece.push(row)
    if (piece.length < PIECE) continue
    yield piece
    piece = []
  }
  if (piece.length > 0) yield piece
}
