import type { LockKey } from './key.js'

/** A message that was given up, as lists show it. Instants are epoch ms by the store's clock. */
export interface DeadLetter {
  readonly app: string
  readonly key: LockKey
  readonly messageId: string
  readonly round: number
  readonly task: string
  readonly label: string
  readonly queue: string
  /** Why it was given up: the code of its outcome. */
  readonly code: string
  readonly at: number
}

/** What is kept of a message that is given up. */
export interface Burial extends Omit<DeadLetter, 'app' | 'at'> {
  /** The whole message as its publisher wrote it. */
  readonly message: string
}

/**
 * An app's dead letters: at most {@link DEAD_LETTERS_KEPT} and {@link DEAD_LETTER_BYTES}, the oldest go first, none for
 * longer than {@link DEAD_LETTER_MS}. Each verb is one atomic step, and may be repeated.
 */
export interface DeadLetterStore {
  /**
   * Keeps a message. A later round of an id takes the place of an earlier one; of a round that was removed, or has been
   * followed by another, nothing is kept again. `kept`: whether this round lies here now.
   */
  bury(burial: Burial): Promise<{ readonly kept: boolean; readonly now: number }>
  /** The newest first. */
  list(options: { readonly allApps: boolean }): Promise<readonly DeadLetter[]>
  show(messageId: string): Promise<(DeadLetter & { readonly message: string }) | null>
  /** `removed`: this round was here, now or when it was asked for before. */
  remove(messageId: string, round: number): Promise<{ readonly removed: boolean; readonly now: number }>
}

export const DEAD_LETTERS_KEPT = 1_000
/** Of an app's kept messages together: more than three of the largest. */
export const DEAD_LETTER_BYTES = 64 * 1024 * 1024
export const DEAD_LETTER_MS = 7 * 86_400_000

/** One app's letters by message id, or which round of it was removed: a late redelivery must not bring that back. */
export interface DeadLetterBox {
  readonly letters: Map<string, Burial & { readonly at: number }>
  readonly removed: Map<string, { readonly round: number; readonly at: number }>
}

export function emptyBox(): DeadLetterBox {
  return { letters: new Map(), removed: new Map() }
}

/** Answers whether this round lies here now. */
export function bury(box: DeadLetterBox, burial: Burial, now: number): boolean {
  forget(box, now)
  const { messageId, round } = burial
  const known = box.letters.get(messageId)
  const removed = box.removed.get(messageId)
  if (removed && round <= removed.round) return false
  if (known && round <= known.round) return round === known.round
  box.removed.delete(messageId)
  box.letters.set(messageId, { ...burial, at: now })
  let bytes = 0
  for (const [at, { messageId: each, message }] of newestFirst(box).entries()) {
    bytes += Buffer.byteLength(message)
    if (at >= DEAD_LETTERS_KEPT || bytes > DEAD_LETTER_BYTES) box.letters.delete(each)
  }
  return box.letters.has(messageId)
}

/** Answers whether this round was here, now or before. */
export function remove(box: DeadLetterBox, messageId: string, round: number, now: number): boolean {
  forget(box, now)
  if (box.letters.get(messageId)?.round !== round) return box.removed.get(messageId)?.round === round
  box.letters.delete(messageId)
  box.removed.set(messageId, { round, at: now })
  return true
}

export function lettersOf(box: DeadLetterBox, now: number): (Burial & { readonly at: number })[] {
  forget(box, now)
  return newestFirst(box)
}

function newestFirst({ letters }: DeadLetterBox): (Burial & { readonly at: number })[] {
  return [...letters.values()].sort((a, b) => b.at - a.at || (a.messageId < b.messageId ? 1 : -1))
}

function forget(box: DeadLetterBox, now: number): void {
  for (const kept of [box.letters, box.removed]) {
    for (const [id, { at }] of kept) if (at + DEAD_LETTER_MS <= now) kept.delete(id)
  }
}
