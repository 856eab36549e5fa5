import type { Decision, DecisionName } from '../../src/beat/schedule-store.js'
import { slotId } from '../../src/beat/slot-id.js'
import type { SlotLine } from './slot-log.js'

/** One entry after a race. */
export interface EntryEvidence {
  readonly entry: string
  /** Nominal times of the slots that were due, by a rule of the test's own, in order. */
  readonly due: readonly number[]
  readonly decisions: readonly Decision[]
  /** What the store counted. */
  readonly counts: Readonly<Partial<Record<DecisionName, number>>>
}

export interface SlotEvidence {
  readonly entries: readonly EntryEvidence[]
  readonly lines: readonly SlotLine[]
}

export interface SlotVerdict {
  /** Slots that were due. */
  readonly slots: number
  readonly published: number
  /** By each decision, slots. */
  readonly decided: Readonly<Record<string, number>>
  /** Due slots without a decision. */
  readonly missing: number
  /** Slots with more than one decision, and messages that ran more than once. */
  readonly doubled: number
  /** Messages that were sent, delivered or run, and decisions that were written, before their time. */
  readonly early: number
  /** Messages that no decision knows, and decisions of which there is no message. */
  readonly unmatched: number
  /** Of published slots, from the nominal time to the first sending, ms. */
  readonly lateMs: readonly number[]
  /** All that is wrong, as sentences; none is what a test wants. */
  readonly wrong: readonly string[]
}

/** Their calls were accepted: each is one message, now or once its turn had come. */
const ACCEPTED: readonly DecisionName[] = ['published', 'deferred', 'queued', 'replaced']

/** Joins what was due with what was decided, sent, delivered and run. Pure. */
export function judgeSlots({ entries, lines }: SlotEvidence): SlotVerdict {
  const seen = byMessage(lines)
  const missing = entries.flatMap(missingSlots)
  const doubled = [...entries.flatMap(doubledSlots), ...[...seen].flatMap(ranTwice)]
  const early = [...entries.flatMap(earlyDecisions), ...entries.flatMap((each) => earlyMessages(each, seen))]
  const unmatched = [...strangers(entries, seen), ...entries.flatMap((each) => withoutRun(each, seen))]
  const other = [...entries.flatMap(strays), ...entries.flatMap(wrongSums), ...entries.flatMap(errors)]
  const decided = tally(entries)
  return {
    slots: entries.reduce((sum, { due }) => sum + due.length, 0),
    published: decided['published'] ?? 0,
    decided,
    missing: missing.length,
    doubled: doubled.length,
    early: early.length,
    unmatched: unmatched.length,
    lateMs: entries.flatMap((each) => lateness(each, seen)).sort((a, b) => a - b),
    wrong: [...missing, ...doubled, ...early, ...unmatched, ...other],
  }
}

/** What happened to a message, in the order of time. */
type Seen = ReadonlyMap<string, readonly SlotLine[]>

function byMessage(lines: readonly SlotLine[]): Seen {
  const seen = new Map<string, SlotLine[]>()
  for (const line of [...lines].sort((a, b) => a.at - b.at)) {
    const own = seen.get(line.id)
    if (own) own.push(line)
    else seen.set(line.id, [line])
  }
  return seen
}

/** The due slots that a decision stands for: its own, and those dropped together with it. */
function coveredBy({ due }: EntryEvidence, { nominal, slots }: Decision): readonly number[] {
  const at = due.indexOf(nominal)
  return at < 0 ? [] : due.slice(Math.max(0, at - slots + 1), at + 1)
}

function coverage(entry: EntryEvidence): ReadonlyMap<number, number> {
  const times = new Map(entry.due.map((nominal) => [nominal, 0]))
  for (const row of entry.decisions) {
    for (const nominal of coveredBy(entry, row)) times.set(nominal, (times.get(nominal) ?? 0) + 1)
  }
  return times
}

function missingSlots(entry: EntryEvidence): string[] {
  const none = [...coverage(entry)].filter(([, times]) => times === 0)
  return none.map(([nominal]) => `${entry.entry}: slot ${nominal} has no decision`)
}

function doubledSlots(entry: EntryEvidence): string[] {
  const more = [...coverage(entry)].filter(([, times]) => times > 1)
  return more.map(([nominal, times]) => `${entry.entry}: slot ${nominal} has ${times} decisions`)
}

function ranTwice([id, lines]: readonly [string, readonly SlotLine[]]): string[] {
  const runs = lines.filter(({ event }) => event === 'ran').length
  return runs > 1 ? [`message ${id} ran ${runs} times`] : []
}

function earlyDecisions({ entry, decisions }: EntryEvidence): string[] {
  return decisions
    .filter(({ at, nominal }) => at < nominal)
    .map(({ at, nominal, decision }) => `${entry}: slot ${nominal} was ${decision} ${nominal - at} ms early`)
}

/** The first sign of a message is the earliest: to be sent it need not have a decision, nor to arrive. */
function earlyMessages({ entry, due, decisions }: EntryEvidence, seen: Seen): string[] {
  const nominals = new Set([...due, ...decisions.map(({ nominal }) => nominal)])
  return [...nominals].flatMap((nominal) => {
    const [first] = seen.get(slotId(entry, nominal)) ?? []
    if (!first || first.at >= nominal) return []
    return [`${entry}: the message of slot ${nominal} was ${first.event} ${nominal - first.at} ms early`]
  })
}

/** Messages of no slot whose call was accepted. One that was only sent may have died with its beat. */
function strangers(entries: readonly EntryEvidence[], seen: Seen): string[] {
  const accepted = new Set(entries.flatMap(acceptedIds))
  return [...seen].flatMap(([id, lines]) => {
    const arrived = lines.some(({ event }) => event !== 'sent')
    return arrived && !accepted.has(id) ? [`message ${id} is of no accepted slot`] : []
  })
}

function withoutRun(entry: EntryEvidence, seen: Seen): string[] {
  return acceptedIds(entry).flatMap((id) => {
    const events = new Set((seen.get(id) ?? []).map(({ event }) => event))
    if (events.has('ran')) return []
    return [`${entry.entry}: message ${id} ${events.has('delivered') ? 'never ran' : 'is nowhere'}`]
  })
}

function acceptedIds({ entry, decisions }: EntryEvidence): string[] {
  return decisions.filter(({ decision }) => ACCEPTED.includes(decision)).map(({ nominal }) => slotId(entry, nominal))
}

function strays({ entry, due, decisions }: EntryEvidence): string[] {
  const known = new Set(due)
  return decisions
    .filter(({ nominal }) => !known.has(nominal))
    .map(({ nominal, decision }) => `${entry}: ${nominal} was ${decision} and is no slot of its rule`)
}

/** [P14] slots due = the sum of what was decided, and what the store counted agrees with its rows. */
function wrongSums({ entry, due, decisions, counts }: EntryEvidence): string[] {
  const rows = tally([{ decisions }])
  const sum = Object.values(counts).reduce((all, count) => all + count, 0)
  const names = new Set([...Object.keys(rows), ...Object.keys(counts)]) as Set<DecisionName>
  const differing = [...names].filter((name) => (rows[name] ?? 0) !== (counts[name] ?? 0))
  return [
    ...(sum === due.length ? [] : [`${entry}: ${due.length} slots were due, ${sum} are counted`]),
    ...differing.map((name) => `${entry}: ${rows[name] ?? 0} slots were ${name}, ${counts[name] ?? 0} are counted`),
  ]
}

/** Neither a kill nor a pause makes a call impossible. */
function errors({ entry, decisions }: EntryEvidence): string[] {
  return decisions
    .filter(({ decision }) => decision === 'error')
    .map(({ nominal }) => `${entry}: slot ${nominal} ended in an error`)
}

function lateness({ entry, decisions }: EntryEvidence, seen: Seen): number[] {
  return decisions.flatMap(({ decision, nominal }) => {
    const sent = seen.get(slotId(entry, nominal))?.find(({ event }) => event === 'sent')
    return decision === 'published' && sent ? [sent.at - nominal] : []
  })
}

function tally(entries: readonly Pick<EntryEvidence, 'decisions'>[]): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const { decision, slots } of entries.flatMap(({ decisions }) => decisions)) {
    sums[decision] = (sums[decision] ?? 0) + slots
  }
  return sums
}

/** The value below which a share of sorted values lies. */
export function quantile(sorted: readonly number[], share: number): number | null {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null
}
