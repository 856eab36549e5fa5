/**
 * When a periodic entry is due: a rule without state, that every beat reads alike. Any object with `next` is one; what
 * it answers is checked, and an entry whose schedule fails rests for 30 s and says so. It lives in code: entries that
 * are added at run time take text.
 *
 * @example
 * const DAY = 86_400_000, ONE_PM = 46_800_000
 * const afterLunch = { next: (afterMs) => Math.floor((afterMs - ONE_PM) / DAY + 1) * DAY + ONE_PM }
 */
export interface Schedule {
  /**
   * The first nominal time strictly after `afterMs`, or undefined when there is none.
   *
   * Both are epoch ms. Pure: the same arguments give the same answer on every host and at any moment; the present time
   * plays no part. `zone` is an IANA name; a rule that knows no calendar (`every`) ignores it.
   */
  next(afterMs: number, zone: string): number | undefined
  /** The rule as people write it: `every 5m`, `0 3 * * *`. */
  readonly text?: string
  /** Its `text` reads back as the same rule, in an entry that is added at run time. A rule in code has none of this. */
  readonly stored?: true
  /** What its author probably did not mean, as sentences for people; shown once at start. */
  readonly warnings?: readonly string[]
}
