import type { RunBarrier, Seat } from './barrier.js'
import { StoreUnavailable } from './error.js'
import type { KeeperNews, KeeperOrder } from './keeper-line.js'

type Answer = Extract<KeeperNews, { news: 'seated' | 'unseated' }>
type Ask = {
  readonly resolve: (answer: 'taken' | 'refused' | 'dropped') => void
  readonly reject: (error: Error) => void
}

/** A barrier that the keeper's thread has: asked from here, prolonged there. */
export interface ThreadBarrier {
  readonly barrier: RunBarrier
  /** What the thread says to a question of ours. */
  hear(answer: Answer, errorOf: (answer: Extract<Answer, { news: 'unseated' }>) => Error): void
  /** The thread is gone: nobody answers any more. */
  end(): void
}

export function threadBarrier(order: (what: KeeperOrder) => void): ThreadBarrier {
  const asks = new Map<number, Ask>()
  let last = 0
  let ended = false
  const gone = () => new StoreUnavailable('the barrier', 'the keeper thread, which has it, has ended')
  const ask = (verb: 'take' | 'drop', seat: Seat) =>
    new Promise<'taken' | 'refused' | 'dropped'>((resolve, reject) => {
      if (ended) return reject(gone())
      const { key, slot } = seat
      asks.set(++last, { resolve, reject })
      order({ do: 'seat', ask: last, verb, seat: { key, slot } })
    })
  return {
    barrier: {
      kind: 'quorum',
      take: async (seat) => ((await ask('take', seat)) === 'taken' ? 'taken' : 'refused'),
      drop: async (seat) => void (await ask('drop', seat)),
    },
    hear(answer, errorOf) {
      const asked = asks.get(answer.ask)
      asks.delete(answer.ask)
      if (answer.news === 'seated') asked?.resolve(answer.answer)
      else asked?.reject(errorOf(answer))
    },
    end() {
      ended = true
      for (const { reject } of asks.values()) reject(gone())
      asks.clear()
    },
  }
}
