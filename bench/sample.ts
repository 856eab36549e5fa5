/** What is done over and over; answers nothing. */
export type Work = () => Promise<unknown>

/** Both sides of a comparison, by the same measure in each round. */
export interface Sides {
  readonly ours: Work
  readonly theirs: Work
}

export interface Comparison {
  /** Median of the rounds, ms a turn. */
  readonly oursMs: number
  readonly theirsMs: number
  /** Median of the rounds' ratios, theirs ÷ ours: 2 is twice as fast as they are. */
  readonly ratio: number
}

interface Rounds {
  readonly rounds: number
  /** Turns of each side in each round. */
  readonly turns: number
  /** Turns under way at once; default 1. */
  readonly atOnce?: number
}

/** Runs the sides in turn, ours first in one round and theirs in the next, so that both see the same machine. */
export async function compare({ ours, theirs }: Sides, { rounds, turns, atOnce = 1 }: Rounds): Promise<Comparison> {
  const measure = (work: Work) => msPerTurn(work, turns, atOnce)
  await measure(ours)
  await measure(theirs)
  const seen: { oursMs: number; theirsMs: number }[] = []
  for (let round = 0; round < rounds; round += 1) {
    if (round % 2 === 0) {
      const oursMs = await measure(ours)
      seen.push({ oursMs, theirsMs: await measure(theirs) })
    } else {
      const theirsMs = await measure(theirs)
      seen.push({ oursMs: await measure(ours), theirsMs })
    }
  }
  return {
    oursMs: median(seen.map((each) => each.oursMs)),
    theirsMs: median(seen.map((each) => each.theirsMs)),
    ratio: median(seen.map(({ oursMs, theirsMs }) => theirsMs / oursMs)),
  }
}

async function msPerTurn(work: Work, turns: number, atOnce: number): Promise<number> {
  let left = turns
  const lane = async (): Promise<void> => {
    while (left > 0) {
      left -= 1
      await work()
    }
  }
  const start = performance.now()
  await Promise.all(Array.from({ length: atOnce }, lane))
  return (performance.now() - start) / turns
}

/** The durations of `work`, ms, one after the other. */
export async function times(work: Work, rounds: number): Promise<number[]> {
  const taken: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const start = performance.now()
    await work()
    taken.push(performance.now() - start)
  }
  return taken
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return ((sorted[(sorted.length - 1) >> 1] ?? Number.NaN) + (sorted[sorted.length >> 1] ?? Number.NaN)) / 2
}
