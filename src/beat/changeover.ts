import { BeatlockError } from '../lock/error.js'
import type { BeatEntry } from './entry.js'
import { CATCH_UP_LATEST, type MissedSlots, planSlots } from './misfire.js'
import type { Dropped, EntryPut, EntryRow, Over, PutHow, PutOutcome, ScheduleStore } from './schedule-store.js'

/** The rule by which a stored entry was due until now; undefined where nobody here can tell. */
export type RuleOf = (row: EntryRow) => Omit<BeatEntry<unknown>, 'payload'> | undefined

export interface Replacing {
  readonly how: PutHow
  /** Undefined: there is nothing to put. */
  readonly make: (row: EntryRow | null) => EntryPut | undefined
  readonly ruleOf: RuleOf
  /** Only while this one is in force. */
  readonly edition?: string | undefined
}

/** Each miss means that somebody else changed the entry, or claimed a slot of it, within one trip. */
const TRIES = 50

/**
 * Puts one entry in the place of what is stored, however that changes meanwhile. `make` is asked with each reading.
 * @throws BeatlockError (CONTENDED) when others were faster each time; nothing is changed then
 */
export async function putOver(
  store: ScheduleStore,
  name: string,
  { how, make, ruleOf, edition }: Replacing,
): Promise<PutOutcome> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const [at, row] = await Promise.all([store.now(), store.show(name)])
    const put = make(row)
    if (!put) return 'missing'
    const over = row && overOf(row, put, { at, ruleOf })
    const [outcome] = await store.put([over ? { ...put, over } : put], how, edition)
    if (outcome !== undefined && outcome !== 'moved') return outcome
  }
  throw contended(name)
}

/**
 * Disables an entry, whose slots that are due by then are `missed`, in a pause `paused`. Answers its row, or null for none.
 * @throws BeatlockError (CONTENDED) as `putOver`
 */
export async function disableEntry(store: ScheduleStore, name: string, ruleOf: RuleOf): Promise<EntryRow | null> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const [at, row] = await Promise.all([store.now(), store.show(name)])
    if (!row || row.state === 'disabled') return row
    const { due: _, ...over } = overOf(row, NO_MORE_RUNS, { at, ruleOf })
    const after = await store.alter(name, { to: 'disabled', over })
    if (!after || after.state === 'disabled') return after
  }
  throw contended(name)
}

const NO_MORE_RUNS = { maxRuns: 0 }

function contended(name: string): BeatlockError {
  const what = `entry '${name}' was changed by others ${TRIES} times while it was to be changed here`
  return new BeatlockError('CONTENDED', `${what}: try again.`)
}

/** What a change of an entry, as it was read, leaves of the slots that its old rule had due. Pure. */
export function overOf(
  row: EntryRow,
  put: Pick<EntryPut, 'maxRuns'>,
  { at, ruleOf }: { at: number; ruleOf: RuleOf },
): Over {
  const { revision, nominal: from } = row
  return { revision, from, at, ...slotsLeft(row, put, { at, rule: ruleOf(row) }) }
}

/**
 * Each has its decision: what came due in a pause is `paused`; of the others the newest still runs if the old rule's
 * `catchUp` lets it, and the rest is `missed`. Jitter no longer delays it.
 */
function slotsLeft(
  row: EntryRow,
  { maxRuns }: Pick<EntryPut, 'maxRuns'>,
  { at, rule }: { at: number; rule: ReturnType<RuleOf> },
): Pick<Over, 'dropped' | 'due'> {
  const { nominal, state, resumedAt, claim, runs } = row
  if (!rule || (state !== 'active' && state !== 'paused')) return { dropped: [], due: null }
  const old = { ...rule, jitterMs: 0 }
  const pausedTo = Math.max(nominal, Math.min(at, state === 'paused' ? at : (resumedAt ?? nominal)))
  const ended = maxRuns !== null && runs >= maxRuns
  const { windowMs, limit } = rule.catchUp ?? CATCH_UP_LATEST
  const catchUp = { windowMs: windowMs + (rule.jitterMs ?? 0), limit: claim || ended ? 0 : Math.min(1, limit) }
  const paused = planSlots(old, { after: nominal, now: pausedTo, catchUp: NONE })
  const plan = planSlots(old, { after: pausedTo, now: at, catchUp })
  return {
    dropped: [...dropped('paused', paused?.missed), ...dropped('missed', plan?.missed)],
    due: plan?.fire[0] ?? null,
  }
}

const NONE = { windowMs: Number.POSITIVE_INFINITY, limit: 0 }

function dropped(decision: Dropped['decision'], slots: MissedSlots | null | undefined): Dropped[] {
  return slots ? [{ decision, slots: slots.slots, latest: slots.latest }] : []
}
