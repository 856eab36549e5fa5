import type { Comparison } from './sample.js'

/** One line of the table. Nothing is asserted: a machine may be slow, a ratio may not be met. */
export interface Line {
  readonly what: string
  readonly ours: string
  /** What ours stands beside, or nothing where the goal is a plain number. */
  readonly beside: string
  readonly ratio: string
  /** The goal of the design. */
  readonly goal: string
}

/** A figure that has nothing beside it. */
export function figure(what: string, ours: string, goal: string): Line {
  return { what, ours, beside: '', ratio: '', goal }
}

export function comparison(what: string, { oursMs, theirsMs, ratio }: Comparison, goal: string): Line {
  return { what, ours: ms(oursMs), beside: ms(theirsMs), ratio: `${ratio.toFixed(2)} ×`, goal }
}

export function ms(value: number): string {
  return `${value.toFixed(value < 10 ? 3 : 0)} ms`
}
