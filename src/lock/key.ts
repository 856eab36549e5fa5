import { hash } from 'node:crypto'

declare const brand: unique symbol

/** What must not overlap: `<task>:<32 hex digits>`, unique within one app's name. */
export type LockKey = string & { readonly [brand]: 'LockKey' }

/** The key of a task and the canonical JSON text of its key arguments: 128 bits of SHA-256, no argument text. */
export function lockKey(task: string, canonicalArguments: string): LockKey {
  const digest = hash('sha256', canonicalArguments, 'hex').slice(0, 32)
  return `${task}:${digest}` as LockKey
}

/**
 * The key of a call that has no lock: its own message id, marked with `~`. It lets an unguarded call keep its outcome,
 * and stops its redelivery from running beside it, over the very same steps; it never meets another call.
 */
export function privateKey(task: string, messageId: string): LockKey {
  return `${task}:~${messageId}` as LockKey
}

/** Whether a key belongs to a call without a lock. */
export function isPrivateKey(key: LockKey): boolean {
  return key.slice(key.lastIndexOf(':') + 1).startsWith('~')
}
