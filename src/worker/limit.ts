/** What setTimeout takes: some 25 days. */
const LONGEST_MS = 2 ** 31 - 1

/** Acts when a limit is reached; none for null, nor for one that is longer than a timer may be. The caller clears it. */
export function limitAfter(ms: number | null, act: () => void): NodeJS.Timeout[] {
  return ms === null || ms > LONGEST_MS ? [] : [setTimeout(act, ms).unref()]
}
