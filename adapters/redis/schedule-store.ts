import type { Claim, Cursor, Decision, ReserveAnswer, ScheduleStore } from '../../src/beat/schedule-store.js'
import { Connection, type RedisOptions, type Request } from './connection.js'
import { forgetApp } from './forget.js'
import { timeOf } from './renewal.js'
import { fieldsOf, numberOf } from './reply.js'
import type { Script } from './script.js'
import { DECIDE, HISTORY, LOAD, RESERVE, TAKE_OVER } from './scripts/schedule.js'
import { byShard, shardNumber, shardOf } from './shard.js'

/** Cursors a script's run: a run must not keep the server from others for long. */
const AT_ONCE = 500

/** Cursors, claims and decisions on Redis ≥ 6.2 or Valkey: each verb is one script on the entry's shard. @throws as openLockStore. */
export async function openScheduleStore(options: RedisOptions): Promise<ScheduleStore> {
  const connection = new Connection(options)
  await connection.open()
  return scheduleStoreOn(connection, options.app)
}

function scheduleStoreOn(connection: Connection, app: string): ScheduleStore {
  const on = (entry: string, script: Script, args: readonly (string | number)[]): Promise<unknown> =>
    connection.ask({ script, keys: namesOf(app, entry), args: args.map(String) })
  return {
    now: () => timeOf(connection),
    load: (entries) => loadCursors(connection, app, entries),
    reserve: async ({ entry, from, nominal, by, claimMs, missed }) => {
      const dropped = missed ? [missed.latest, missed.slots] : ['', '']
      return reserveAnswer(entry, await on(entry, RESERVE, [from, nominal, by, claimMs, ...dropped]))
    },
    takeOver: async ({ entry, term, by, claimMs }) =>
      reserveAnswer(entry, await on(entry, TAKE_OVER, [term, by, claimMs])),
    decide: async ({ entry, nominal, decision, messageId, holder, slots }, term) => {
      const args = [nominal, term, decision, messageId ?? '', holder ?? '', slots]
      return decisionOf(entry, await on(entry, DECIDE, args))
    },
    history: async (entry, limit) =>
      limit < 1 ? [] : fieldsOf(await on(entry, HISTORY, [limit])).map((row) => decisionOf(entry, row)),
    destroy: () => forgetApp(connection, app, 'beat'),
    close: () => connection.close(),
  }
}

function namesOf(app: string, entry: string): [cursor: string, decisions: string] {
  const { base } = shardOf('beat', app, entry)
  return [`${base}cursor:${entry}`, `${base}decisions:${entry}`]
}

/** One round trip, by shard. */
async function loadCursors(connection: Connection, app: string, entries: readonly string[]): Promise<Cursor[]> {
  const batches = [...byShard(entries, (entry) => shardNumber(app, entry)).values()].flatMap(inBatches)
  const requests = batches.map((batch): Request => {
    return { script: LOAD, keys: batch.map(({ item }) => namesOf(app, item)[0]), args: [] }
  })
  const replies = await connection.askAll(requests)
  const cursors: Cursor[] = []
  for (const [n, batch] of batches.entries()) {
    const rows = fieldsOf(replies[n])
    for (const [i, { item, at }] of batch.entries()) cursors[at] = cursorOf(item, rows[i])
  }
  return cursors
}

function inBatches<T>(group: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(group.length / AT_ONCE) }, (_, n) =>
    group.slice(n * AT_ONCE, (n + 1) * AT_ONCE),
  )
}

function reserveAnswer(entry: string, reply: unknown): ReserveAnswer {
  const [outcome, at, given] = fieldsOf(reply)
  const now = numberOf(at)
  return outcome === 'reserved'
    ? { outcome: 'reserved', claim: claimOf(given), now }
    : { outcome: 'moved', cursor: cursorOf(entry, given), now }
}

function cursorOf(entry: string, reply: unknown): Cursor {
  const [nominal, claim] = fieldsOf(reply)
  return { entry, nominal: numberOf(nominal), claim: claim === null ? null : claimOf(claim) }
}

function claimOf(reply: unknown): Claim {
  const [nominal, term, by, deadline] = fieldsOf(reply)
  return { nominal: numberOf(nominal), term: numberOf(term), by: String(by), deadline: numberOf(deadline) }
}

function decisionOf(entry: string, reply: unknown): Decision {
  const [nominal, decision, messageId, holder, slots, at] = fieldsOf(reply)
  return {
    entry,
    nominal: numberOf(nominal),
    decision: String(decision) as Decision['decision'],
    messageId: messageId === null ? null : String(messageId),
    holder: holder === null ? null : String(holder),
    slots: numberOf(slots),
    at: numberOf(at),
  }
}
