import {
  type Alteration,
  BEAT_KEPT_MS,
  type BeatReport,
  type BeatRow,
  type Claim,
  type Cursor,
  type Decision,
  type DecisionName,
  type Dropped,
  type EntryPut,
  type EntryRow,
  type EntryState,
  type PutHow,
  type PutOutcome,
  type ReserveAnswer,
  type ScheduleStore,
} from '../../src/beat/schedule-store.js'
import type { Connection, RedisOptions } from './connection.js'
import { forgetApp } from './forget.js'
import { openFormat } from './format.js'
import { timeOf } from './renewal.js'
import { fieldsOf, numberOf } from './reply.js'
import type { Script } from './script.js'
import {
  ADOPT,
  ALTER,
  ATTEND,
  BEATS,
  CHANGES,
  DECIDE,
  LEAVE,
  PASS,
  PUT,
  RESERVE,
  SHOW,
  TAKE_OVER,
} from './scripts/schedule.js'
import { shardOf } from './shard.js'

/** Entries a script's run: a run must not keep the server from others for long. */
const AT_ONCE = 500

/** A timetable on Redis ≥ 6.2 or Valkey: each verb is one script on the app's one slot for it. @throws as openLockStore. */
export async function openScheduleStore(options: RedisOptions): Promise<ScheduleStore> {
  const connection = await openFormat(options, 'beat')
  return scheduleStoreOn(connection, options.app)
}

function scheduleStoreOn(connection: Connection, app: string): ScheduleStore {
  const { base } = shardOf('beat', app, '')
  const ask = (script: Script, ...args: readonly (string | number | null)[]): Promise<unknown> =>
    connection.ask({ script, keys: [`${base}index`], args: [base, ...args.map((each) => String(each ?? ''))] })
  return {
    now: () => timeOf(connection, base),
    put: (entries, how, edition) => putAll(entries, { how, edition, ask }),
    alter: async (entry, alteration) => {
      const edition = 'edition' in alteration ? alteration.edition : null
      const {
        revision = null,
        from = null,
        at = null,
        dropped = [],
      } = ('over' in alteration ? alteration.over : undefined) ?? {}
      const over = [revision, from, at, ...dropsOf(dropped)]
      const reply = await ask(ALTER, entry, alteration.to, argumentOf(alteration), edition ?? null, ...over)
      return reply === null ? null : rowOf(reply)
    },
    changes: async (after, limit) => {
      const [revision, rows] = fieldsOf(await ask(CHANGES, after, Math.min(limit, AT_ONCE)))
      return { revision: numberOf(revision), rows: fieldsOf(rows).map(rowOf) }
    },
    show: async (entry) => shown(await ask(SHOW, entry)),
    reserve: async ({ entry, revision, from, nominal, kind, by, claimMs, dropped }) =>
      reserveAnswer(await ask(RESERVE, entry, revision, from, nominal, kind, by, claimMs, ...dropsOf(dropped))),
    pass: async ({ entry, revision, from, to, dropped }) =>
      reserveAnswer(await ask(PASS, entry, revision, from, to, ...dropsOf(dropped))) as Passed,
    takeOver: async ({ entry, term, by, claimMs }) => reserveAnswer(await ask(TAKE_OVER, entry, term, by, claimMs)),
    decide: async (decision) => {
      const { entry, nominal, term, decision: name, holder, slots } = decision
      const [now, packed] = fieldsOf(await ask(DECIDE, entry, nominal, term, name, holder, slots))
      return packed === null ? { ...decision, at: numberOf(now) } : decisionOf(entry, nominal, String(packed))
    },
    history: async (entry, limit) => (await historyOf(connection, base, entry)).slice(0, Math.max(0, limit)),
    adopt: async ({ by, report, superseded }) =>
      String(await ask(ADOPT, by, JSON.stringify(report), report.edition, superseded ? 1 : 0)),
    attend: async ({ by, report, leadMs }) => {
      const [now, revision, leader, edition, origin] = fieldsOf(
        await ask(ATTEND, by, leadMs, report && JSON.stringify(report)),
      )
      return {
        now: numberOf(now),
        revision: numberOf(revision),
        edition: textOr(edition),
        origin: String(origin),
        leader: textOr(leader),
      }
    },
    beats: async () => beatRows(await ask(BEATS)),
    leave: async (by) => void (await ask(LEAVE, by)),
    destroy: () => forgetApp(connection, app, 'beat'),
    close: () => connection.close(),
  }
}

type Ask = (script: Script, ...args: readonly (string | number | null)[]) => Promise<unknown>
type Passed = Exclude<ReserveAnswer, { outcome: 'reserved' }>

async function putAll(
  entries: readonly EntryPut[],
  { how, edition, ask }: { how: PutHow; edition: string | undefined; ask: Ask },
): Promise<PutOutcome[]> {
  const outcomes: PutOutcome[] = []
  for (let from = 0; from < entries.length; from += AT_ONCE) {
    const batch = entries.slice(from, from + AT_ONCE)
    outcomes.push(...(fieldsOf(await ask(PUT, how, edition ?? null, ...batch.flatMap(putArgs))) as PutOutcome[]))
  }
  return outcomes
}

function putArgs({ name, spec, config, maxRuns, over }: EntryPut): (string | number | null)[] {
  const { revision = null, from = null, at = null, due = null, dropped = [] } = over ?? {}
  const drops = dropsOf(dropped)
  return [name, spec, config, maxRuns, revision, from, at, due, drops.length, ...drops]
}

function argumentOf(alteration: Alteration): string | null {
  switch (alteration.to) {
    case 'paused':
      return alteration.why
    case 'resumed':
      return alteration.from
    case 'removed':
      return alteration.config
    default:
      return null
  }
}

function dropsOf(dropped: readonly Dropped[]): (string | number)[] {
  return dropped.flatMap(({ decision, latest, slots }) => [decision, latest, slots])
}

function reserveAnswer(reply: unknown): ReserveAnswer {
  const [outcome, at, nominal, claim] = fieldsOf(reply)
  const now = numberOf(at)
  switch (outcome) {
    case 'reserved':
      return { outcome, nominal: numberOf(nominal), claim: claimOf(claim), now }
    case 'moved': {
      const cursor: Cursor = { nominal: numberOf(nominal), claim: claim === null ? null : claimOf(claim) }
      return { outcome, cursor, now }
    }
    default:
      return { outcome: 'changed', now }
  }
}

function claimOf(reply: unknown): Claim {
  const [nominal, term, by, deadline] = fieldsOf(reply)
  return { nominal: numberOf(nominal), term: numberOf(term), by: String(by), deadline: numberOf(deadline) }
}

async function historyOf(connection: Connection, base: string, entry: string): Promise<Decision[]> {
  const fields = fieldsOf(await connection.ask({ command: 'HGETALL', args: [`${base}history:${entry}`] }))
  return pairs(fields)
    .map(([nominal, packed]) => decisionOf(entry, Number(nominal), packed))
    .sort((a, b) => b.nominal - a.nominal)
}

function decisionOf(entry: string, nominal: number, packed: string): Decision {
  const [decision, holder, slots, at, term] = packed.split('|')
  return {
    entry,
    nominal,
    decision: decision as DecisionName,
    holder: holder === '' || holder === undefined ? null : holder,
    slots: Number(slots),
    term: Number(term),
    at: Number(at),
  }
}

function shown(reply: unknown): EntryRow | null {
  const row = rowOf(reply)
  return row.state === null || row.state === 'removed' ? null : row
}

function rowOf(reply: unknown): EntryRow {
  const [name, fields] = fieldsOf(reply)
  const stored = JSON.parse(String(fields)) as Stored
  const textAt = (field: string): string | null => stored[field] ?? null
  const numberAt = (field: string): number | null => (stored[field] === undefined ? null : Number(stored[field]))
  const lastNominal = numberAt('lastNominal')
  return {
    name: String(name),
    spec: textAt('spec') ?? '',
    config: textAt('config'),
    state: textAt('state') as EntryState,
    pausedAt: numberAt('pausedAt'),
    pausedWhy: textAt('pausedWhy'),
    resumedAt: numberAt('resumedAt'),
    askedAt: numberAt('askedAt'),
    maxRuns: numberAt('maxRuns'),
    runs: numberAt('runs') ?? 0,
    counts: countsOf(stored),
    last: lastNominal === null ? null : { nominal: lastNominal, decision: textAt('lastDecision') as DecisionName },
    createdAt: numberAt('createdAt') ?? 0,
    changedAt: numberAt('changedAt') ?? 0,
    revision: numberAt('revision') ?? 0,
    nominal: numberAt('nominal') ?? 0,
    claim: stored['claimTerm'] === undefined ? null : storedClaim(stored),
  }
}

/** The fields of an entry's hash. */
type Stored = Readonly<Record<string, string | undefined>>

function storedClaim(stored: Stored): Claim {
  const { claimNominal, claimTerm, claimBy = '', claimDeadline } = stored
  return { nominal: Number(claimNominal), term: Number(claimTerm), by: claimBy, deadline: Number(claimDeadline) }
}

function countsOf(stored: Stored): EntryRow['counts'] {
  const counts: Partial<Record<DecisionName, number>> = {}
  for (const field in stored) if (field.startsWith('n:')) counts[field.slice(2) as DecisionName] = Number(stored[field])
  return counts
}

function beatRows(reply: unknown): BeatRow[] {
  const [now, leader, all] = fieldsOf(reply)
  return pairs(fieldsOf(all))
    .map(([by, packed]) => {
      const at = packed.indexOf(' ')
      const report = JSON.parse(packed.slice(at + 1)) as BeatReport
      return { ...report, by, seenAt: Number(packed.slice(0, at)), leader: leader === by }
    })
    .filter(({ seenAt }) => numberOf(now) - seenAt <= BEAT_KEPT_MS)
}

function pairs(flat: readonly unknown[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, n) => [String(flat[2 * n]), String(flat[2 * n + 1])])
}

function textOr(reply: unknown): string | null {
  return reply === null || reply === undefined ? null : String(reply)
}
