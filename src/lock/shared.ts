/** Writes a value. `requestId` names the request: repeated after a lost reply within a minute it acts no second time. */
export interface SharedWrite {
  readonly requestId: string
  readonly key: string
  /** Canonical JSON text. */
  readonly value: string
  /** How long it is kept from now on; null: until it is deleted. */
  readonly ttlMs: number | null
}

export interface SharedSwap extends SharedWrite {
  /** Canonical JSON text of what must be there, or null for nothing. */
  readonly expected: string | null
}

export interface SharedIncrease {
  readonly requestId: string
  readonly key: string
  /** A safe integer. */
  readonly by: number
  /** Of a counter that this step makes; one that is there keeps its own. */
  readonly ttlMs: number | null
}

export type SharedIncreased =
  | { readonly outcome: 'increased'; readonly value: number }
  /** What is there is no whole number; nothing changed. */
  | { readonly outcome: 'no number' }
  /** The sum is no safe integer; nothing changed. */
  | { readonly outcome: 'too large' }

/**
 * Small values of an app that all its processes share. Each verb is one atomic step and one round trip; a value whose
 * time is over, by the store's clock, is as if it had been deleted.
 */
export interface SharedStore {
  /** The value's text, or null for none. */
  get(key: string): Promise<string | null>
  /** How long the value is kept still, in ms; `forever`, or null where there is none. */
  ttl(key: string): Promise<number | 'forever' | null>
  set(write: SharedWrite): Promise<void>
  /** Writes only where what is there equals `expected`; answers whether it did. */
  compareAndSet(swap: SharedSwap): Promise<boolean>
  increment(increase: SharedIncrease): Promise<SharedIncreased>
  /** Answers whether there was one. */
  delete(request: { readonly requestId: string; readonly key: string }): Promise<boolean>
}

/** How long a request is remembered: longer than anyone here waits for a reply and asks again. */
export const SHARED_REQUEST_MS = 60_000

interface Kept {
  readonly value: string
  /** Epoch ms by the store's clock, or null. */
  readonly until: number | null
}

/** One app's values: what a store must do, as pure steps over a map. */
export type SharedBox = Map<string, Kept>

/** Drops what is over. */
export function lookUp(box: SharedBox, key: string, now: number): Kept | null {
  const kept = box.get(key)
  if (!kept) return null
  if (kept.until === null || kept.until > now) return kept
  box.delete(key)
  return null
}

export function put(box: SharedBox, { key, value, ttlMs }: Omit<SharedWrite, 'requestId'>, now: number): void {
  box.set(key, { value, until: ttlMs === null ? null : now + ttlMs })
}

export function swap(box: SharedBox, request: Omit<SharedSwap, 'requestId'>, now: number): boolean {
  if ((lookUp(box, request.key, now)?.value ?? null) !== request.expected) return false
  put(box, request, now)
  return true
}

export function increase(
  box: SharedBox,
  { key, by, ttlMs }: Omit<SharedIncrease, 'requestId'>,
  now: number,
): SharedIncreased {
  const kept = lookUp(box, key, now)
  if (kept && !/^-?\d+$/.test(kept.value)) return { outcome: 'no number' }
  const value = Number(kept?.value ?? 0) + by
  if (!Number.isSafeInteger(value)) return { outcome: 'too large' }
  if (kept) box.set(key, { ...kept, value: String(value) })
  else put(box, { key, value: String(value), ttlMs }, now)
  return { outcome: 'increased', value }
}
