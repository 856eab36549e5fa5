import type { EntryInfo } from '../beat/entry-info.js'
import type { DecisionInfo } from '../beat/run-time.js'
import { UsageError } from '../lock/error.js'
import { printable } from '../lock/printable.js'
import { EXIT, type ExitCode } from './exit.js'
import { jsonText, print, say, terminalWidth } from './print.js'
import type { HistoryFlags, ScheduleFlags } from './schedule-flags.js'
import { noEntry, withTimetable } from './schedule-target.js'
import { Table } from './table.js'

const LIST = ['NAME', 'TASK', 'SCHEDULE', 'NEXT', 'LAST', 'OUTCOME', 'OVERLAP', 'RUNS', 'STATE']
const HISTORY = ['SLOT', 'OUTCOME', 'SLOTS', 'HELD BY', 'MESSAGE', 'DECIDED']
/** Rows that are laid out together. */
const PIECE = 100

export async function list(flags: ScheduleFlags): Promise<ExitCode> {
  return withTimetable(flags, async (table, target) => {
    const { servers } = await target.app.connection()
    say(`timetable of app ${target.app.name} on ${servers.schedule}`)
    if (flags.json) await printArray(table.list())
    else if ((await printTable(table.list())) === 0) say('it has no entries; add one with schedule add.')
    return EXIT.done
  })
}

export async function show(name: string, flags: ScheduleFlags): Promise<ExitCode> {
  return withTimetable(flags, async (table) => {
    const info = await table.show(name)
    if (!info) return noEntry(name, flags)
    await print(flags.json ? `${jsonText(info, 2)}\n` : entryText(info))
    return EXIT.done
  })
}

export async function history(name: string, flags: HistoryFlags): Promise<ExitCode> {
  const limit = Number(flags.limit)
  if (!Number.isInteger(limit) || limit < 1)
    throw new UsageError(`--limit must be a whole number from 1 on, got ${flags.limit}.`)
  return withTimetable(flags, async (table) => {
    const rows = await table.history(name, { limit })
    if (rows.length === 0 && !(await table.show(name))) return noEntry(name, flags)
    if (flags.json) await print(`${jsonText(rows, 2)}\n`)
    else if (rows.length === 0) say('nothing was decided yet.')
    else await print(new Table(HISTORY, terminalWidth()).lines(rows.map(decisionCells)))
    return EXIT.done
  })
}

/** The entry as `show`, `add` and the others print it. */
export function entryText(info: EntryInfo): string {
  const { task: _, schedule: __, timezone: ___, kwargs: ____, args: _____, ...others } = info.entry
  const counts = Object.entries(info.counts).map(([name, count]) => `${count} ${name}`)
  const lines: [string, string | null][] = [
    ['task', info.task],
    ['schedule', `${info.schedule} (${info.timezone})`],
    ['arguments', argumentsText(info)],
    ['overlap', info.overlap],
    ['state', stateText(info)],
    ['next', info.nextLocal ?? (info.state === 'active' || info.state === 'finished' ? 'never' : info.state)],
    ['last', info.last && `${info.last.nominal} ${info.last.decision}`],
    ['runs', info.maxRuns === null ? String(info.runs) : `${info.runs} of ${info.maxRuns}`],
    ['unreadable', info.unreadable],
    ['slots', counts.length === 0 ? null : counts.join(', ')],
    ...info.warnings.map((warning): [string, string] => ['warning', warning]),
    ['from', info.from === 'config' ? "the app's code" : `a command, ${info.createdAt}`],
    ...Object.entries(others).map(([name, value]): [string, string] => [name, JSON.stringify(value)]),
  ]
  const shown = lines.flatMap(([name, value]) => (value === null ? [] : [`  ${name.padEnd(10)} ${printable(value)}\n`]))
  return `${printable(info.name)}\n${shown.join('')}`
}

function argumentsText({ entry: { args, kwargs }, argsHidden }: EntryInfo): string | null {
  if (argsHidden) return '(hidden)'
  return args === undefined && kwargs === undefined ? null : JSON.stringify(kwargs ?? args)
}

function entryCells(info: EntryInfo): string[] {
  const { name, task, schedule, nextLocal, last, overlap, runs } = info
  const when = [name, task, schedule, nextLocal ?? '-', last?.nominal ?? '-', last?.decision ?? '-']
  return [...when, overlap, String(runs), stateText(info)]
}

function stateText({ state, pausedAt, pausedWhy, unreadable }: EntryInfo): string {
  const why = pausedWhy === null ? '' : ` (${pausedWhy})`
  const text = state === 'paused' ? `paused since ${pausedAt}${why}` : state
  return unreadable === null ? text : `${text}, not readable here`
}

function decisionCells({ nominal, decision, slots, holder, id, at }: DecisionInfo): string[] {
  return [nominal, decision, String(slots), holder ?? '-', id ?? '-', at]
}

async function printArray(entries: AsyncIterable<EntryInfo>): Promise<void> {
  let before = '['
  for await (const entry of entries) {
    await print(`${before}\n  ${jsonText(entry)}`)
    before = ','
  }
  await print(before === '[' ? '[]\n' : '\n]\n')
}

async function printTable(entries: AsyncIterable<EntryInfo>): Promise<number> {
  const table = new Table(LIST, terminalWidth())
  let piece: string[][] = []
  let shown = 0
  for await (const entry of entries) {
    piece.push(entryCells(entry))
    shown += 1
    if (piece.length < PIECE) continue
    await print(table.lines(piece))
    piece = []
  }
  if (piece.length > 0) await print(table.lines(piece))
  return shown
}
