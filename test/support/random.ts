/** Numbers that a seed repeats: what a failing run printed can be run again. */
export interface Random {
  /** A whole number from 0 to below `end`. */
  below(end: number): number
  of<T>(list: readonly T[]): T
}

/** @see https://en.wikipedia.org/wiki/Linear_congruential_generator */
export function randomFrom(seed: number): Random {
  let state = (seed ^ 0x9e3779b9) >>> 0
  const below = (end: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * end)
  }
  return { below, of: (list) => list[below(list.length)] as (typeof list)[number] }
}
