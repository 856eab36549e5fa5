/** Fixed for ever: another number would look for every stored key elsewhere. */
const SHARDS = 64

/** The rooms of one app on a server: locks and schedules are forgotten independently of each other. */
export type Room = 'lock' | 'beat'

/** Where something lives: the shard's tag and the prefix of one app's keys in it. */
export interface Shard {
  readonly number: number
  /** The set of the apps that have something in this shard. */
  readonly apps: string
  /** Every key of the app in this shard begins with it. */
  readonly base: string
}

/** The same on every host and in every version: part of the stored format. */
export function shardNumber(app: string, name: string): number {
  return hashed(name, hashed('\0', hashed(app, 0x811c9dc5))) % SHARDS
}

/**
 * FNV-1a over a text's UTF-16 units, on from `hash`: it only spreads names, and is asked for with every request.
 * @see https://www.rfc-editor.org/rfc/rfc9923
 */
function hashed(text: string, hash: number): number {
  let at = hash
  for (let i = 0; i < text.length; i += 1) at = Math.imul(at ^ text.charCodeAt(i), 0x01000193)
  return at >>> 0
}

export function shardAt(room: Room, app: string, number: number): Shard {
  const tag = `{bl:${number}}`
  // Encoded, since a colon in one app's name must not reach into another app's keys.
  return { number, apps: `${tag}:apps`, base: `${tag}:${encodeURIComponent(app)}:${room}:` }
}

export function shardOf(room: Room, app: string, name: string): Shard {
  return shardAt(room, app, shardNumber(app, name))
}

export function allShards(room: Room, app: string): Shard[] {
  return Array.from({ length: SHARDS }, (_, number) => shardAt(room, app, number))
}

/** Groups named things by the shard of their name, keeping each one's place in the list. */
export function byShard<T>(
  items: readonly T[],
  numberOf: (item: T) => number,
): Map<number, { readonly item: T; readonly at: number }[]> {
  const groups = new Map<number, { readonly item: T; readonly at: number }[]>()
  for (const [at, item] of items.entries()) {
    const number = numberOf(item)
    const group = groups.get(number)
    if (group) group.push({ item, at })
    else groups.set(number, [{ item, at }])
  }
  return groups
}
