/** What happens to a call whose key is held. */
export type Overlap = 'raise' | 'skip' | 'defer' | 'queue' | 'replace' | 'allow'

/** Which of several deferred calls' arguments run. */
export type Keep = 'first' | 'latest'

/**
 * What the store does in its one atomic step when the key is held. Decided before the call, so that no answer of the
 * store is ever read, judged here, and written back.
 */
export type Instruction =
  | { readonly do: 'refuse' }
  /** `keep`: what a call becomes that finds all places taken. It joins the last parked call (`first`), gives it its own
   * arguments (`latest`), or is refused loudly (`all`). */
  | { readonly do: 'park'; readonly capacity: number; readonly keep: Keep | 'all' }
  /** Cancel a holder that has run for at least `minRunMs`, or take the place of one that does not run yet. */
  | { readonly do: 'replace'; readonly minRunMs: number }
  | { readonly do: 'pass' }

/** A policy with all that belongs to it. */
export interface OverlapPolicy {
  readonly overlap: Overlap
  readonly keep: Keep
  readonly maxParked: number
  readonly minRunMs: number
}

/** The instruction of a policy at publish. Pure. */
export function instructionFor({ overlap, keep, maxParked, minRunMs }: OverlapPolicy): Instruction {
  switch (overlap) {
    case 'allow':
      return { do: 'pass' }
    case 'defer':
      return { do: 'park', capacity: 1, keep }
    case 'queue':
      return { do: 'park', capacity: maxParked, keep: 'all' }
    case 'replace':
      return { do: 'replace', minRunMs }
    default:
      return { do: 'refuse' }
  }
}

/** What a delivery without a hold does when the key is held: see {@link deliveryInstruction}. */
export type DeliveryInstruction = 'coalesce' | 'skip' | 'wait' | 'replace'

/**
 * The instruction of a policy at delivery, for a message that has no hold. Pure.
 *
 * A message that once had its hold was accepted: it may only be covered by a run that starts after its publish
 * (`coalesce`, else it waits). One that never had a hold meets its policy now; `raise` acts as `skip`, since nobody is
 * there to catch.
 */
export function deliveryInstruction(overlap: Overlap, hadHold: boolean): DeliveryInstruction {
  if (hadHold) return 'coalesce'
  if (overlap === 'replace') return 'replace'
  return overlap === 'raise' || overlap === 'skip' ? 'skip' : 'wait'
}
