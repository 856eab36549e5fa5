import type { BodyEnd, BodyRequest, UnstartedReason } from '../task-base/body.js'

export interface Waiting {
  readonly body: BodyRequest
  readonly end: (how: BodyEnd) => void
}

/** Bodies that wait for a place, in the order in which they came. */
export class WaitingLine {
  readonly #waiting: (Waiting & { readonly late: NodeJS.Timeout })[] = []

  get length(): number {
    return this.#waiting.length
  }

  /** Resolves to how the body ends, wherever it gets to. `late`: it has waited for `patienceMs`. */
  add(body: BodyRequest, { patienceMs, late }: { readonly patienceMs: number; late(): void }): Promise<BodyEnd> {
    return new Promise((end) => {
      this.#waiting.push({ body, end, late: setTimeout(late, patienceMs) })
    })
  }

  /** The first leaves the line, for a place. */
  next(): Waiting | undefined {
    const next = this.#waiting.shift()
    clearTimeout(next?.late)
    return next
  }

  /** It ends unstarted, if it is here. */
  drop(runId: string, why: UnstartedReason): void {
    const index = this.#waiting.findIndex(({ body }) => body.runId === runId)
    if (index < 0) return
    const [dropped] = this.#waiting.splice(index, 1)
    clearTimeout(dropped?.late)
    dropped?.end(unstarted(why))
  }

  dropAll(why: UnstartedReason): void {
    for (const { body } of [...this.#waiting]) this.drop(body.runId, why)
  }
}

export function unstarted(why: UnstartedReason): BodyEnd {
  return { end: 'unstarted', why }
}
