import { hasCode } from '../../src/lock/error.js'

export interface Gathered<Request, Answer> {
  /** One statement for all: answers in the order asked, null for one that must ask alone. */
  readonly together: (requests: readonly Request[]) => Promise<readonly (Answer | null)[]>
  readonly alone: (request: Request) => Promise<Answer>
}

/** Requests a statement: one must not hold its rows for long. */
const AT_ONCE = 100

/**
 * One request as a function, many as few statements: what is asked while a statement is on its way leaves together in
 * the next one. A request that fails its statement fails alone, since all ask again for themselves.
 */
export function gathering<Request, Answer>(of: Gathered<Request, Answer>): (request: Request) => Promise<Answer> {
  const waiting: Waiting<Request, Answer>[] = []
  let sending = false
  const send = async (): Promise<void> => {
    // What this turn still asks for comes along.
    await Promise.resolve()
    while (waiting.length > 0) await answerAll(of, waiting.splice(0, AT_ONCE))
    sending = false
  }
  return (request) =>
    new Promise((resolve, reject) => {
      waiting.push({ request, resolve, reject })
      if (!sending) void send()
      sending = true
    })
}

interface Waiting<Request, Answer> {
  readonly request: Request
  readonly resolve: (answer: Answer | Promise<Answer>) => void
  readonly reject: (error: unknown) => void
}

/** Never rejects. Who asks alone is not waited for. */
async function answerAll<Request, Answer>(
  { together, alone }: Gathered<Request, Answer>,
  batch: readonly Waiting<Request, Answer>[],
): Promise<void> {
  const askAlone = ({ request, resolve }: Waiting<Request, Answer>): void => resolve(alone(request))
  try {
    const answers = await together(batch.map(({ request }) => request))
    for (const [at, each] of batch.entries()) {
      const answer = answers[at] ?? null
      if (answer === null) askAlone(each)
      else each.resolve(answer)
    }
  } catch (error) {
    if (hasCode(error, 'STORE_UNAVAILABLE')) for (const { reject } of batch) reject(error)
    else batch.forEach(askAlone)
  }
}
