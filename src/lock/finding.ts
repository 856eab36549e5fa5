/** One thing that was looked at on a server, in words for an operator. */
export interface Finding {
  /** What was looked at; stable, for scripts: `persistence`. */
  readonly check: string
  /**
   * `problem`: locks or messages may be lost or refused; `note`: to be known, nothing to be mended; `unknown`: the server
   * does not let us see it.
   */
  readonly verdict: 'fine' | 'note' | 'problem' | 'unknown'
  /** What is set, and what that means; a sentence. */
  readonly says: string
  /** What to do; null where nothing is to be done. */
  readonly cure: string | null
}

/** What was found on one server. */
export interface Examined {
  /** As shown to people, without credentials. */
  readonly server: string
  /** What it is for: `broker and locks`, `quorum node`. */
  readonly role: string
  /** False: it did not answer, and `findings` says why. */
  readonly reached: boolean
  /** True: opening it would set something up there, or bring it up to date; for one that only looks it is closed. */
  readonly pristine?: true
  readonly findings: readonly Finding[]
}

export function fine(check: string, says: string): Finding {
  return { check, verdict: 'fine', says, cure: null }
}

export function note(check: string, says: string): Finding {
  return { check, verdict: 'note', says, cure: null }
}

export function problem(check: string, says: string, cure: string): Finding {
  return { check, verdict: 'problem', says, cure }
}

export function unknown(check: string, says: string): Finding {
  return { check, verdict: 'unknown', says, cure: null }
}

/** A clock that is further off makes countdowns early or late between hosts; leases go by the server's alone. */
const CLOCK_MS = 1_000

/** `aheadMs`: this host's clock before the server's; `withinMs`: how exactly that is known. Pure. */
export function clockFinding({ aheadMs, withinMs }: { readonly aheadMs: number; readonly withinMs: number }): Finding {
  const off = Math.round(Math.abs(aheadMs))
  if (off - withinMs <= CLOCK_MS) return fine('clock', `this host's clock and the server's agree within ${off} ms.`)
  return problem(
    'clock',
    `this host's clock is ${off} ms ${aheadMs > 0 ? 'ahead of' : 'behind'} the server's: countdowns between hosts come that much early or late; leases go by the server's.`,
    'set both clocks by NTP.',
  )
}
