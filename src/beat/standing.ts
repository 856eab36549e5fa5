import type { BeatEntry } from './entry.js'
import type { BeatEvents } from './event.js'
import type { Claim, Cursor, EntryRow } from './schedule-store.js'
import { dueAt, nextSlot } from './slot.js'

/** An entry and where it stands, as this beat last saw it. */
export interface Standing<Payload> {
  readonly name: string
  entry: BeatEntry<Payload>
  revision: number
  /** Whether slots come due. */
  active: boolean
  askedAt: number | null
  resumedAt: number | null
  changedAt: number
  cursor: Cursor
  dueAt: number
  /** It was due, and its step has not ended. */
  underWay: boolean
  /** A change of it was seen meanwhile: it is read again before its next step. */
  overtaken: boolean
  /** When to look whether a run of it has failed, beside its slots; infinite for never. */
  lookAt: number
  /** Of its last runs those that are known to have ended. */
  ended: ReadonlySet<number>
  /** When another's open claim may be taken over, by our estimate of the store's clock. */
  takeOverAt: number
  own: OwnClaim | undefined
}

/** A claim of this beat whose decision is not written yet. */
export interface OwnClaim {
  readonly claim: Claim
  /** By the monotonic clock, and by this host's: that one goes on while a host sleeps. */
  readonly publishBefore: number
  readonly wallBefore: number
  /** Published, its decision not yet written: it is not published again. */
  published: BeatEvents['beat:decided'] | undefined
}

/** Takes in a row of the store; an own claim under way goes on. */
export function standingOf<Payload>(
  row: EntryRow,
  entry: BeatEntry<Payload>,
  before: Standing<Payload> | undefined,
): Standing<Payload> {
  const { name, revision, askedAt, resumedAt, changedAt, nominal, claim } = row
  const own = before?.own?.claim.term === claim?.term ? before?.own : undefined
  // Written out: a spread costs several times as much, and there may be a hundred thousand.
  const standing: Standing<Payload> = {
    name,
    entry,
    revision,
    active: row.state === 'active',
    askedAt,
    resumedAt,
    changedAt,
    cursor: { nominal, claim },
    dueAt: before?.dueAt ?? 0,
    takeOverAt: claim?.deadline ?? 0,
    own,
    underWay: before?.underWay ?? false,
    overtaken: before?.overtaken ?? false,
    lookAt: before?.lookAt ?? NEVER,
    ended: before?.ended ?? NONE,
  }
  // Whoever holds the old one, as a visit under way does, goes on with what is known now.
  return before ? Object.assign(before, standing) : standing
}

const NEVER = Number.POSITIVE_INFINITY
const NONE: ReadonlySet<number> = new Set()

/** When the entry wants to be looked at; undefined for never. @throws UsageError of its schedule */
export function wakeFor<Payload>(standing: Standing<Payload>, now: number): number | undefined {
  const { entry, cursor, takeOverAt, askedAt, active, resumedAt, lookAt } = standing
  if (standing.own) return now
  if (!active) return cursor.claim ? takeOverAt : (askedAt ?? undefined)
  if (resumedAt !== null && resumedAt > cursor.nominal && !cursor.claim) return now
  const next = nextSlot(entry, cursor.nominal)
  const goesOutAt = next === undefined ? undefined : dueAt(entry, next)
  if (!cursor.claim) {
    const earliest = Math.min(askedAt ?? NEVER, lookAt, goesOutAt ?? NEVER)
    return earliest === NEVER ? undefined : earliest
  }
  // While another's claim is open its slot is not passed; by the next slot it is usually decided.
  return goesOutAt !== undefined && goesOutAt > now ? Math.min(goesOutAt, takeOverAt) : takeOverAt
}
