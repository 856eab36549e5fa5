import {
  type Alteration,
  type Claim,
  type Cursor,
  DECISIONS_KEPT,
  type Decision,
  type DecisionName,
  type Dropped,
  type EntryPut,
  type EntryRow,
  type EntryState,
  type PassRequest,
  type PutHow,
  type PutOutcome,
  type ReserveAnswer,
  type ReserveRequest,
} from './schedule-store.js'

/**
 * The rules of the timetable in code: what each verb of a schedule store makes of one entry's record. Pure. Memory and
 * file run these functions; the Lua scripts and SQL functions mirror them.
 */
export interface EntryRecord {
  readonly row: EntryRow
  readonly lastTerm: number
  /** Whether the open claim was taken over: its taker, asking again, hears the same. */
  readonly over: boolean
  /** The latest nominal first. */
  readonly decisions: readonly Decision[]
}

/** What a verb made of a record; the same record where nothing changed. */
export interface Step<Answer> {
  readonly record: EntryRecord
  readonly answer: Answer
}

/** When a change happens: the store's clock, and the app's revision after it. */
export interface Moment {
  readonly now: number
  readonly revision: number
}

const ACCEPTED: readonly DecisionName[] = ['published', 'deferred', 'queued', 'replaced']

/** `record` is undefined where there is none; a removed one counts as none. The record is undefined where none is made. */
export function putEntry(
  record: EntryRecord | undefined,
  { put, how }: { readonly put: EntryPut; readonly how: PutHow },
  moment: Moment,
): { readonly record: EntryRecord | undefined; readonly outcome: PutOutcome } {
  const known = record && record.row.state !== 'removed' ? record : undefined
  if (!known) {
    if (how === 'change') return { record, outcome: 'missing' }
    return { record: createRecord(put, record, moment), outcome: 'created' }
  }
  if (how === 'add') return { record, outcome: 'exists' }
  if (how === 'merge' && known.row.config === put.config) return { record, outcome: 'kept' }
  const changed = changeRecord(known, how === 'change' ? { ...put, config: known.row.config } : put, moment)
  return changed ? { record: changed, outcome: 'changed' } : { record, outcome: 'moved' }
}

/** Terms go on where a removed entry of the name left them: its claimer may still come back. */
function createRecord(put: EntryPut, before: EntryRecord | undefined, { now, revision }: Moment): EntryRecord {
  const { name, spec, config, maxRuns } = put
  const row: EntryRow = {
    name,
    spec,
    config,
    maxRuns,
    state: 'active',
    pausedAt: null,
    pausedWhy: null,
    resumedAt: null,
    askedAt: null,
    runs: 0,
    counts: {},
    last: null,
    createdAt: now,
    changedAt: now,
    revision,
    nominal: now,
    claim: null,
  }
  return { row, lastTerm: before?.lastTerm ?? 0, over: false, decisions: [] }
}

/** Not retroactive: each slot that came due by the old rule is decided by it. Undefined: the entry is not as it was read. */
function changeRecord(record: EntryRecord, put: EntryPut, { now, revision }: Moment): EntryRecord | undefined {
  const { row } = record
  const { spec, config, maxRuns, over } = put
  if (over?.revision !== row.revision || over.from !== row.nominal) return undefined
  const isOpen = row.state === 'active' || row.state === 'finished'
  const state = isOpen ? openState({ maxRuns, runs: row.runs }) : row.state
  if (over.due !== null && (row.claim || state !== 'active')) return undefined
  const settled = drop(record, over.dropped, now)
  const nominal = Math.max(row.nominal, over.at)
  const rule = { spec, config, maxRuns, state, nominal, resumedAt: null, changedAt: now, revision }
  const changed: EntryRecord = { ...settled, row: { ...settled.row, ...rule } }
  return over.due === null ? changed : leftOver(changed, over.due, now)
}

/** Of an entry that nobody holds back: one that had its runs, in a pause maybe, has no more slots. */
function openState({ maxRuns, runs }: Pick<EntryRow, 'maxRuns' | 'runs'>): EntryState {
  return maxRuns !== null && runs >= maxRuns ? 'finished' : 'active'
}

/** A claim that nobody holds: the next beat takes it over at once. */
function leftOver(record: EntryRecord, nominal: number, now: number): EntryRecord {
  return claimed(record, { nominal, by: '', claimMs: 0, over: false }, now).record
}

/** Undefined: no such entry, or nothing to do under that condition. */
export function alterEntry(record: EntryRecord, to: Alteration, { now, revision }: Moment): EntryRecord | undefined {
  const { row } = record
  if (row.state === 'removed') return undefined
  const changed = (over: Partial<EntryRow>, from = record): EntryRecord => ({
    ...from,
    row: { ...from.row, changedAt: now, ...over, revision },
  })
  switch (to.to) {
    case 'enabled':
      if (row.state !== 'disabled' && row.state !== 'finished') return record
      return changed({
        state: openState(row),
        nominal: Math.max(row.nominal, now),
      })
    case 'disabled': {
      const { revision: read = row.revision, from = row.nominal, at = row.nominal, dropped = [] } = to.over ?? {}
      if (row.state === 'disabled' || read !== row.revision || from !== row.nominal) return record
      const off = { state: to.to, pausedAt: null, pausedWhy: null, resumedAt: null, nominal: Math.max(row.nominal, at) }
      return changed(off, drop(record, dropped, now))
    }
    case 'paused':
      if (row.state !== 'active') return record
      return changed({ state: 'paused', pausedAt: now, pausedWhy: to.why })
    case 'resumed':
      if (row.state !== 'paused') return record
      return changed({
        state: openState(row),
        pausedAt: null,
        pausedWhy: null,
        resumedAt: to.from === 'now' ? now : row.resumedAt,
      })
    case 'asked':
      return changed({ askedAt: now })
    case 'removed': {
      if (to.config !== null && to.config !== row.config) return undefined
      const { name, createdAt, nominal } = row
      const gone = createRecord({ name, spec: '', config: null, maxRuns: null }, record, { now, revision })
      return { ...gone, row: { ...gone.row, state: 'removed', createdAt, nominal } }
    }
  }
}

export function reserveSlot(record: EntryRecord, request: ReserveRequest, now: number): Step<ReserveAnswer> {
  const { row } = record
  const { nominal, by, claimMs, kind } = request
  const open = row.claim
  if (open?.nominal === nominal && open.by === by) return { record, answer: reserved(row, open, now) }
  if (kind === 'asked') {
    if (row.state === 'removed') return { record, answer: { outcome: 'changed', now } }
    if (open || row.askedAt !== nominal) return { record, answer: moved(row, now) }
    return claimed({ ...record, row: { ...row, askedAt: null } }, { nominal, by, claimMs, over: false }, now)
  }
  const refused = refusal(row, request, now)
  if (refused) return { record, answer: refused }
  const passed = { ...record, row: { ...row, nominal, resumedAt: null } }
  return claimed(drop(passed, request.dropped, now), { nominal, by, claimMs, over: false }, now)
}

export function passSlots(
  record: EntryRecord,
  request: PassRequest,
  now: number,
): Step<ReturnType<typeof moved> | { readonly outcome: 'changed'; readonly now: number }> {
  const refused = refusal(record.row, request, now)
  if (refused) return { record, answer: refused }
  const passed = drop({ ...record, row: { ...record.row, nominal: request.to, resumedAt: null } }, request.dropped, now)
  return { record: passed, answer: moved(passed.row, now) }
}

export function takeOverClaim(
  record: EntryRecord,
  { term, by, claimMs }: { readonly term: number; readonly by: string; readonly claimMs: number },
  now: number,
): Step<ReserveAnswer> {
  const { row } = record
  const open = row.claim
  if (open && record.over && open.term === term + 1 && open.by === by)
    return { record, answer: reserved(row, open, now) }
  if (open?.term !== term || open.deadline > now) return { record, answer: moved(row, now) }
  return claimed(record, { nominal: open.nominal, by, claimMs, over: true }, now)
}

/** `finished` where this was the last of `maxRuns`. */
export function decideSlot(record: EntryRecord, decision: Omit<Decision, 'at'>, now: number): Step<Decision> {
  const { claim, state } = record.row
  if (state === 'removed') return { record, answer: { ...decision, at: now } }
  const known = record.decisions.find((each) => each.nominal === decision.nominal)
  // Its claim is over: it was decided, maybe longer ago than the history goes back, or was of a removed entry of this name.
  if (claim?.nominal !== decision.nominal) return { record, answer: known ?? { ...decision, at: now } }
  const written = known ? record : remember(record, { ...decision, at: now })
  const closes = claim.term === decision.term
  const row = closes ? { ...written.row, claim: null } : written.row
  return { record: { ...written, row, over: closes ? false : written.over }, answer: known ?? { ...decision, at: now } }
}

function refusal(
  row: EntryRow,
  { revision, from }: { readonly revision: number; readonly from: number },
  now: number,
): ReturnType<typeof moved> | { readonly outcome: 'changed'; readonly now: number } | undefined {
  if (row.revision !== revision || row.state !== 'active') return { outcome: 'changed', now }
  return row.nominal !== from || row.claim ? moved(row, now) : undefined
}

function claimed(
  record: EntryRecord,
  { over, claimMs, ...of }: { nominal: number; by: string; claimMs: number; over: boolean },
  now: number,
): Step<ReserveAnswer> {
  const lastTerm = record.lastTerm + 1
  const claim: Claim = { ...of, term: lastTerm, deadline: now + claimMs }
  const row = { ...record.row, claim }
  return { record: { ...record, row, lastTerm, over }, answer: reserved(row, claim, now) }
}

function reserved({ nominal }: EntryRow, claim: Claim, now: number): ReserveAnswer {
  return { outcome: 'reserved', nominal, claim, now }
}

function moved({ nominal, claim }: Cursor, now: number) {
  return { outcome: 'moved', cursor: { nominal, claim }, now } as const
}

function drop(record: EntryRecord, dropped: readonly Dropped[], now: number): EntryRecord {
  return dropped.reduce((so, { decision, slots, latest }) => {
    if (so.decisions.some((each) => each.nominal === latest)) return so
    return remember(so, { entry: so.row.name, nominal: latest, decision, holder: null, slots, term: 0, at: now })
  }, record)
}

function remember({ row, decisions, ...rest }: EntryRecord, decision: Decision): EntryRecord {
  const { decision: name, nominal, slots } = decision
  const kept = [...decisions, decision].sort((a, b) => b.nominal - a.nominal)
  const runs = row.runs + (ACCEPTED.includes(name) ? 1 : 0)
  const counts = { ...row.counts, [name]: (row.counts[name] ?? 0) + slots }
  const state = row.state === 'active' ? openState({ maxRuns: row.maxRuns, runs }) : row.state
  return {
    ...rest,
    row: { ...row, runs, counts, state, last: { nominal, decision: name } },
    decisions: kept.length > DECISIONS_KEPT * 1.25 ? kept.slice(0, DECISIONS_KEPT) : kept,
  }
}
