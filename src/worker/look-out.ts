import { Doorbell } from '../lock/doorbell.js'

export interface LookOut {
  /** Looks no more; resolves when the look under way is over. */
  close(): Promise<void>
}

/** Looks at something now and then, and whenever it is rung. A look that fails is told, and is followed by the next. */
export function lookOut(of: {
  readonly everyMs: number
  readonly listen: (ring: () => void) => () => void
  readonly look: () => Promise<void>
  readonly trouble: (error: Error) => void
}): LookOut {
  const over = new AbortController()
  const bell = new Doorbell()
  const deafen = of.listen(bell.ring)
  const watch = async (): Promise<void> => {
    while (!over.signal.aborted) {
      await of.look().catch((error: unknown) => of.trouble(error as Error))
      // Spread, so that a fleet that started together does not ask together.
      await bell.wait(of.everyMs * (0.75 + Math.random() / 4), over.signal)
    }
  }
  const watching = watch()
  return {
    async close() {
      over.abort()
      deafen()
      await watching
    },
  }
}
