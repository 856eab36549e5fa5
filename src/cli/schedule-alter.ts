import { setTimeout as sleep } from 'node:timers/promises'
import type { EntryInfo } from '../beat/entry-info.js'
import type { DecisionInfo, RunTimeTable } from '../beat/run-time.js'
import { UsageError } from '../lock/error.js'
import { printable } from '../lock/printable.js'
import { suggest } from '../lock/suggest.js'
import { EXIT, type ExitCode } from './exit.js'
import { jsonText, print } from './print.js'
import type { PauseFlags, ResumeFlags } from './schedule-flags.js'
import { noEntry, withTimetable } from './schedule-target.js'
import { entryText } from './schedule-view.js'

type Flags = ResumeFlags & PauseFlags
type Verb = 'run' | 'enable' | 'disable' | 'pause' | 'resume' | 'remove'

const RUN_WAIT_MS = 5_000
const LOOK_EVERY_MS = 100

export async function alter(verb: Verb, name: string, flags: Flags): Promise<ExitCode> {
  const from = readFrom(flags.from)
  return withTimetable(flags, async (table) => {
    switch (verb) {
      case 'run':
        return run(table, name, flags)
      case 'remove':
        return (await table.remove(name)) ? removed(name, flags) : noEntry(name, flags)
      case 'pause':
        return tell(name, flags, await table.pause(name, flags.why === undefined ? {} : { why: flags.why }))
      case 'resume':
        return tell(name, flags, await table.resume(name, { from }))
      default:
        return tell(name, flags, await table[verb](name))
    }
  })
}

function readFrom(from = 'now'): 'now' | 'pausedAt' {
  if (from === 'now' || from === 'pausedAt') return from
  throw new UsageError(`--from must be now or pausedAt, got '${from}'${suggest(from, ['now', 'pausedAt']) || '.'}`)
}

async function tell(name: string, flags: Flags, info: EntryInfo | undefined): Promise<ExitCode> {
  if (!info) return noEntry(name, flags)
  await print(flags.json ? `${jsonText(info, 2)}\n` : entryText(info))
  return EXIT.done
}

async function removed(name: string, { json }: Flags): Promise<ExitCode> {
  await print(json ? `${jsonText({ removed: name })}\n` : `removed ${printable(name)}\n`)
  return EXIT.done
}

/** Waits some seconds for what a beat makes of it; without a beat it stays asked for. */
async function run(table: RunTimeTable, name: string, flags: Flags): Promise<ExitCode> {
  const asked = await table.run(name)
  if (!asked) return noEntry(name, flags)
  const decision = await decided(table, name, asked.askedAt)
  if (flags.json) await print(`${jsonText({ asked: asked.askedAt, decision: decision ?? null })}\n`)
  else await print(`${printable(decision ? runText(name, decision) : waitText(asked))}\n`)
  return EXIT.done
}

/** A run that nobody took in time is late as a slot would be. */
function waitText({ name, entry: { catchUp, catchUpWindow } }: EntryInfo): string {
  const window = catchUp === 'none' ? '30s' : catchUpWindow
  const late =
    window === undefined ? '' : `; later than ${typeof window === 'number' ? `${window}s` : window} it is missed`
  return `asked for a run of ${name}: no beat has taken it yet, the next one will${late}`
}

function runText(name: string, decision: DecisionInfo): string {
  const held = decision.holder === null ? '' : ` held by ${decision.holder}`
  return `${decision.decision} ${name} as ${decision.id ?? '-'}${held}`
}

async function decided(table: RunTimeTable, name: string, askedAt: string | null): Promise<DecisionInfo | undefined> {
  const end = performance.now() + RUN_WAIT_MS
  for (;;) {
    const rows = await table.history(name, { limit: 20 })
    const row = rows.find(({ nominal }) => nominal === askedAt)
    if (row || performance.now() >= end) return row
    if (end - performance.now() < RUN_WAIT_MS / 2 && (await table.beats()).length === 0) return undefined
    await sleep(LOOK_EVERY_MS)
  }
}
