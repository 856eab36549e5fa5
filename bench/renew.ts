import { lockKey } from '../src/lock/key.js'
import type { LockStore } from '../src/lock/lock-store.js'
import { figure, type Line, ms } from './line.js'
import { held, running } from './request.js'
import { median, times } from './sample.js'

const LEASES = 1_000

/** One renewal of 1,000 leases; that it is one round trip is a test. */
export async function renewThousand(store: LockStore, name: string): Promise<Line> {
  const names = Array.from({ length: LEASES }, (_, n) => ({
    key: lockKey('bench.renew', `[${n}]`),
    messageId: `r${n}`,
  }))
  const leases = await Promise.all(
    names.map(async ({ key, messageId }) => {
      await store.acquire(held(key, messageId).request)
      const answer = await store.advance(running(key, messageId))
      if (answer.outcome !== 'granted') throw new Error(`expected to run, got '${answer.outcome}'`)
      return { key, messageId, token: answer.token, leaseMs: 60_000, limit: 1, label: 'bench' }
    }),
  )
  const taken = await times(() => store.renew({ worker: null, leases, acked: [] }), 15)
  return figure(`renew 1,000 leases on ${name}`, ms(median(taken)), '1 round trip')
}
