import type { LockKey } from '../src/lock/key.js'
import type { AcquireRequest, ReleaseRequest, RunStep } from '../src/lock/lock-store.js'
import { acquiring, releasing, runStep, termsOf } from '../test/contract/lock-store/scene.js'

/** Long enough that nothing ends while a bench looks at it. */
const LEASE_MS = 600_000
const TERMS = termsOf({ timeoutMs: LEASE_MS })

/** What a publisher asks for a key, and how it gives it up again. */
export function held(key: LockKey, messageId: string): { request: AcquireRequest; release: ReleaseRequest } {
  return {
    request: acquiring(messageId, { key, terms: TERMS, publishLeaseMs: LEASE_MS }),
    release: releasing(messageId, null, { key }),
  }
}

/** What a worker asks for when the message is delivered. */
export function running(key: LockKey, messageId: string): RunStep {
  return runStep(messageId, { key, terms: TERMS, leaseMs: LEASE_MS })
}
