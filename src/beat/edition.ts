import { createHash } from 'node:crypto'
import type { EntryPut } from './schedule-store.js'

/** Editions that are remembered as having been in force. */
export const EDITIONS_KEPT = 100
/** A beat that was not seen for so long stands in no edition's way. */
export const BEAT_ALIVE_MS = 15_000

/** Names what a whole configuration says: the same for every beat of the same code. */
export function editionOf(config: readonly EntryPut[]): string {
  const lines = config.map(({ name, config: hash }) => JSON.stringify([name, hash])).sort()
  return createHash('sha256').update(lines.join('\n')).digest('hex').slice(0, 16)
}

export interface Candidate {
  readonly edition: string
  /** The store has told its beat before that another is in force. */
  readonly superseded: boolean
  /** Whether a beat of the edition in force lives. */
  readonly defended: boolean
}

/**
 * Which editions were in force, the present one last, after a beat has come with its own. One that was never seen is a new
 * deploy and comes into force. One that was superseded comes back only when no beat of the present one lives: a beat of the old
 * code that is started again while a deploy rolls out changes nothing, and a roll-back needs no word from anybody. Pure.
 */
export function adoptEdition(
  editions: readonly string[],
  { edition, superseded, defended }: Candidate,
): readonly string[] {
  const present = editions.at(-1)
  if (present === edition) return editions
  const known = superseded || editions.includes(edition)
  if (present !== undefined && known && defended) return editions
  return [...editions.filter((each) => each !== edition), edition].slice(-EDITIONS_KEPT)
}
