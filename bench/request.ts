import { type LockKey, lockKey } from '../src/lock/key.js'
import type { AcquireRequest, ReleaseRequest, RunStep } from '../src/lock/message-step.js'
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

/**
 * A new message for one of 1,000 keys at each call. All but its id is made before: the bench is of the store, not of how
 * the bench words its question.
 */
export function heldInTurn(task: string): () => ReturnType<typeof held> {
  const made = Array.from({ length: 1_000 }, (_, n) => held(lockKey(task, `[${n}]`), ''))
  let turn = 0
  return () => {
    turn += 1
    const messageId = `m${turn}`
    const { request, release } = made[turn % made.length] as (typeof made)[number]
    return { request: { ...request, messageId }, release: { ...release, messageId } }
  }
}

/** What a worker asks for when the message is delivered. */
export function running(key: LockKey, messageId: string): RunStep {
  return runStep(messageId, { key, terms: TERMS, leaseMs: LEASE_MS })
}
