import type {
  Claim,
  Cursor,
  Decision,
  ReserveAnswer,
  ReserveRequest,
  ScheduleStore,
} from '../../src/beat/schedule-store.js'
import { type AppSchedule, type EntryState, type MemoryServer, scheduleOf } from './server.js'

/** At least a hundred are promised. */
const DECISIONS_KEPT = 200

/** The schedule store of one process: a map of entries; each verb runs without an await between looking and taking. */
export function openScheduleStore({ server, app }: { server: MemoryServer; app: string }): ScheduleStore {
  const { now } = server
  const at = (entry: string): EntryState => entryAt(scheduleOf(server, app), entry, now())
  return {
    now: async () => now(),
    load: async (entries) => entries.map((entry) => cursorOf(entry, at(entry))),
    reserve: async (request) => reserve(at(request.entry), request, now()),
    takeOver: async ({ entry, term, by, claimMs }) => {
      const state = at(entry)
      const open = state.claim
      if (open?.term !== term || open.deadline > now()) return moved(entry, state, now())
      return claim(state, { nominal: open.nominal, by, claimMs }, now())
    },
    decide: async (decision, term) => decide(at(decision.entry), decision, { term, now: now() }),
    history: async (entry, limit) => (scheduleOf(server, app).get(entry)?.decisions ?? []).slice(0, limit),
    destroy: async () => void server.schedules.delete(app),
    close: async () => {},
  }
}

function entryAt(schedule: AppSchedule, entry: string, now: number): EntryState {
  const known = schedule.get(entry)
  if (known) return known
  const fresh: EntryState = { nominal: now, claim: null, lastTerm: 0, decisions: [] }
  schedule.set(entry, fresh)
  return fresh
}

function reserve(state: EntryState, request: ReserveRequest, now: number): ReserveAnswer {
  const { entry, from, nominal, by, claimMs, missed } = request
  if (state.claim?.nominal === nominal && state.claim.by === by) return { outcome: 'reserved', claim: state.claim, now }
  if (state.nominal !== from || state.claim) return moved(entry, state, now)
  state.nominal = nominal
  if (missed) {
    const { latest, slots } = missed
    remember(state, { entry, nominal: latest, decision: 'missed', messageId: null, holder: null, slots, at: now })
  }
  return claim(state, { nominal, by, claimMs }, now)
}

function claim(state: EntryState, of: { nominal: number; by: string; claimMs: number }, now: number): ReserveAnswer {
  state.lastTerm += 1
  const taken: Claim = { nominal: of.nominal, term: state.lastTerm, by: of.by, deadline: now + of.claimMs }
  state.claim = taken
  return { outcome: 'reserved', claim: taken, now }
}

function moved(entry: string, state: EntryState, now: number): ReserveAnswer {
  return { outcome: 'moved', cursor: cursorOf(entry, state), now }
}

function cursorOf(entry: string, { nominal, claim }: EntryState): Cursor {
  return { entry, nominal, claim }
}

function decide(state: EntryState, decision: Omit<Decision, 'at'>, of: { term: number; now: number }): Decision {
  const inForce =
    state.decisions.find((each) => each.nominal === decision.nominal) ?? remember(state, { ...decision, at: of.now })
  if (state.claim?.term === of.term && state.claim.nominal === decision.nominal) state.claim = null
  return inForce
}

function remember(state: EntryState, decision: Decision): Decision {
  state.decisions.unshift(decision)
  state.decisions.length = Math.min(state.decisions.length, DECISIONS_KEPT)
  return decision
}
