import { lockDelayMs, monotonicNs, msUntil, trustDeadlineNs } from '../../src/lock/trust.js'
import type { BodyEnd, BodyRequest } from '../../src/task-base/body.js'
import { Endings } from '../../src/task-base/endings.js'
import { LockLost, stoppedByLoss } from '../../src/task-base/error.js'
import { guardExecution } from '../../src/task-base/execution-guard.js'
import type { KeptLease } from '../../src/task-base/run.js'
import { publishPromotion } from '../../src/task-base/sweeper.js'
import { openFaultApp } from './fault-process.js'
import type { WorkerSpec } from './worker-process.js'

/**
 * A worker as it is often written: body and renewal share one loop, and where the lock is lost nothing but the body's
 * signal says so. With `trust measured from the reply` it also counts its lease from when it heard of it.
 */
const spec = JSON.parse(process.argv[2] ?? '') as WorkerSpec
const app = await openFaultApp(spec)
const { servers, store, sweep, now } = await app.connection()
const { leaseMs } = app.settings

interface Kept {
  readonly loss: AbortController
  readonly renewal: NodeJS.Timeout
  deadlineNs: bigint
}
const runs = new Map<string, Kept>()

function hold(lease: KeptLease, runId: string): bigint {
  const sinceNs = spec.variant === 'trust measured from the reply' ? monotonicNs() : lease.sentAtNs
  const renewal = setInterval(() => void renew(lease, runId), leaseMs / 3)
  const deadlineNs = trustDeadlineNs(sinceNs, leaseMs)
  runs.set(runId, { loss: new AbortController(), renewal, deadlineNs })
  return deadlineNs
}

async function renew({ key, messageId, token, limit, label }: KeptLease, runId: string): Promise<void> {
  const leases = [{ key, messageId, token, limit, label, leaseMs }]
  const [answer] = (await store.renew({ worker: null, leases, acked: [] })).leases
  if (answer?.outcome === 'lost') runs.get(runId)?.loss.abort(new LockLost(answer.reason))
}

function drop(runId: string): void {
  clearInterval(runs.get(runId)?.renewal)
  runs.delete(runId)
}

async function run(body: BodyRequest): Promise<BodyEnd> {
  const { loss, deadlineNs } = runs.get(body.runId) as Kept
  const { signal } = loss
  const lost = (detail: string): BodyEnd => ({ end: 'killed', why: 'lost', detail, exitSeenNs: monotonicNs() })
  if (monotonicNs() >= deadlineNs) return lost('too late')
  const remainingMs = (): number => msUntil(deadlineNs)
  const end = await app.execute({ ...body, remainingMs, signal })
  return end.end === 'threw' && stoppedByLoss(signal) ? lost('its signal') : end
}

const ports = {
  ...{ store, barrier: undefined, hold, drop, run, now, leaseMs },
  promote: (promotion: Parameters<typeof publishPromotion>[1]) => publishPromotion(sweep, promotion),
  events: app.events,
  worker: spec.name,
  lockDelayMs: lockDelayMs(leaseMs),
  signal: new AbortController().signal,
}
const endings = new Endings(1_000)
const consumer = await servers.engine.consume({
  queues: ['default'],
  concurrency: 1,
  redeliverAfterMs: leaseMs,
  deliver: ({ message, free }) => {
    const bounds = { softTimeLimitMs: null, timeLimitMs: null, maxDeliveries: 3 }
    return guardExecution(ports, { message, bounds, endings, bodyEnded: free })
  },
  acknowledged: () => {},
  trouble: () => {},
})
process.on('SIGTERM', () => {
  void consumer
    .close('finish')
    .then(() => app.close())
    .then(() => process.exit(0))
})
process.send?.({ say: 'ready' })
