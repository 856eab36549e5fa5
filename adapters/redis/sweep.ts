import type { Doubt, SweepAnswer } from '../../src/lock/doubt.js'
import type { Promotion } from '../../src/lock/hold.js'
import type { LockKey } from '../../src/lock/key.js'
import type { LockStore } from '../../src/lock/lock-store.js'
import { scriptOn } from './argument.js'
import type { Connection } from './connection.js'
import type { Epochs } from './epoch.js'
import { doubtOf, fieldsOf, numberOf, promotionOf } from './reply.js'
import { DUE, SWEEP } from './scripts/sweep.js'
import { allShards, type Shard } from './shard.js'

type SweepOptions = Parameters<LockStore['sweep']>[0]

/**
 * Asks all shards what is due, which is all there is to an idle sweep, then shares `limit` out among those that have
 * something: two round trips at most, and never more keys than asked for.
 */
export async function sweepShards(
  connection: Connection,
  epochs: Epochs,
  app: string,
  options: SweepOptions,
): Promise<SweepAnswer> {
  await epochs.begin()
  const known = await Promise.all(allShards('lock', app).map(({ number }) => epochs.known(number)))
  const shards = allShards('lock', app)
  const asked = shards.map((shard) => scriptOn(shard, app, DUE, known[shard.number] as [string, number]))
  const replies = (await connection.askAll(asked)).map(fieldsOf)
  const due = replies.map(([, count]) => numberOf(count))
  const takes = shareOut(due, options.limit).flatMap((count, at) =>
    count > 0 ? [{ shard: shards[at] as Shard, count }] : [],
  )
  const { publishLeaseMs, resultMs } = options
  const found = await connection.askAll(
    takes.map(({ shard, count }) =>
      scriptOn(shard, app, SWEEP, [count, publishLeaseMs, resultMs, ...(known[shard.number] as [string, number])]),
    ),
  )
  const recoveringMs = Math.max(...replies.map(([, , remaining]) => numberOf(remaining)))
  return { ...gather(numberOf(replies[0]?.[0]), found), ...(recoveringMs > 0 ? { recoveringMs } : {}) }
}

/** Gives each its part of the limit in turns, so that no shard starves behind a full one. */
function shareOut(due: readonly number[], limit: number): number[] {
  const shares = due.map(() => 0)
  const start = Math.floor(Math.random() * due.length)
  let left = Math.min(
    limit,
    due.reduce((sum, count) => sum + count, 0),
  )
  for (let turn = start; left > 0; turn += 1) {
    const at = turn % due.length
    if ((shares[at] as number) >= (due[at] as number)) continue
    shares[at] = (shares[at] as number) + 1
    left -= 1
  }
  return shares
}

function gather(asked: number, replies: readonly unknown[]): SweepAnswer {
  const promotions: Promotion[] = []
  const doubts: Doubt[] = []
  let now = asked
  for (const reply of replies) {
    const [at, promoted, doubted] = fieldsOf(reply)
    now = Math.max(now, numberOf(at))
    promotions.push(...fieldsOf(promoted).map((each) => keyed(each, promotionOf)))
    doubts.push(...fieldsOf(doubted).map((each) => keyed(each, doubtOf)))
  }
  return { promotions, doubts, now }
}

function keyed<T>(reply: unknown, read: (key: LockKey, reply: unknown) => T): T {
  const [key, rest] = fieldsOf(reply)
  return read(String(key) as LockKey, rest)
}
