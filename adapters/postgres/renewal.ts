import type { RenewAnswer, RenewalAnswer, RenewBatch } from '../../src/lock/renewal.js'
import type { Database } from './database.js'
import { failureOf } from './failure.js'

/** How long a batch may spend on keys that somebody else has locked; what is not reached stays `busy`: the others' trust runs. */
const BUSY_MS = 1_000

/** One statement for the batch; then, where a key was locked by somebody else, one more for it alone. */
export async function renewAll(db: Database, app: string, batch: RenewBatch): Promise<RenewAnswer> {
  const { worker, leases, acked } = batch
  const row = worker && JSON.stringify({ ...worker, app })
  const values = [app, JSON.stringify(leases), JSON.stringify(acked), worker?.name ?? null, row]
  const answer = await db.call<RenewAnswer>('renew_v1', [...values, false])
  if (answer.leases.every((lease) => lease.outcome !== 'busy')) return answer
  return { ...answer, leases: await retryBusy(db, app, batch, answer.leases) }
}

async function retryBusy(
  db: Database,
  app: string,
  { leases }: RenewBatch,
  answers: readonly RenewalAnswer[],
): Promise<RenewalAnswer[]> {
  const deadline = performance.now() + BUSY_MS
  const settled: RenewalAnswer[] = []
  for (const [at, answer] of answers.entries()) {
    const again = answer.outcome === 'busy' && performance.now() < deadline
    settled.push(again ? await renewAlone(db, [app, JSON.stringify([leases[at]]), '[]', null, null, true]) : answer)
  }
  return settled
}

/** Waits for the key as long as the function does. */
async function renewAlone(db: Database, values: readonly unknown[]): Promise<RenewalAnswer> {
  try {
    const { leases } = await db.call<RenewAnswer>('renew_v1', values)
    return leases[0] ?? { outcome: 'busy' }
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined
    if (failureOf(cause) === 'other') throw error
    return { outcome: 'busy' }
  }
}
