/** What a worker does before it takes its first message, in this order. */
export const START_STEPS = ['servers', 'barrier', 'keeper', 'children', 'definitions', 'sweeper', 'consumer'] as const
export type StartStep = (typeof START_STEPS)[number]

/** Told before a step, and again with its duration once it is done: the last one that is not is where a start hangs. */
export type OnStep = (step: StartStep, tookMs: number | undefined) => void

export type TakeStep = <T>(step: StartStep, take: () => T | Promise<T>) => Promise<T>

export function takeSteps(tell: OnStep = () => {}): TakeStep {
  return async (step, take) => {
    tell(step, undefined)
    const startedAt = performance.now()
    const taken = await take()
    tell(step, performance.now() - startedAt)
    return taken
  }
}
