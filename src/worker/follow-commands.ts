import type { PendingCommand } from '../lock/command.js'
import type { LockStore } from '../lock/lock-store.js'
import type { CommandBody } from '../task-base/worker-command.js'
import { answerText, errorAnswer } from './command-answer.js'
import { type LookOut, lookOut } from './look-out.js'

/** What a worker has done, or can tell. */
export interface Obeyed {
  readonly ok: unknown
  /** What it does after it has answered. */
  readonly after?: () => void
}

/** `inTime`: whether its asker still waits. */
export type Obey = (body: CommandBody, inTime: () => boolean) => Promise<Obeyed>

/** Below the askers' patience: a worker that no notice reaches is still heard. */
const LOOK_EVERY_MS = 4_000
/** A command that is over may be found once more by a look that was on its way. */
const REMEMBERED_MS = 60_000

interface Known {
  readonly forgetAt: number
  answer: string | undefined
}

/**
 * Does what this worker is asked, once each: found in the store by looking, at once where a notice comes. An answer that
 * could not be given is given at the next look; what was done is not done again.
 */
export function followCommands(of: {
  readonly store: Pick<LockStore, 'commands' | 'listen'>
  readonly worker: string
  /** When this worker came, by the store's clock: what its name was asked before is not for it. */
  readonly since: number
  readonly obey: Obey
  readonly trouble: (error: Error) => void
}): LookOut {
  const { store, worker, since, obey, trouble } = of
  const known = new Map<string, Known>()
  const underWay = new Set<Promise<void>>()
  const attend = async ({ id, body, remainingMs }: PendingCommand): Promise<void> => {
    const before = known.get(id)
    if (before) return before.answer === undefined ? undefined : answered(id, before.answer)
    const mine: Known = { forgetAt: performance.now() + remainingMs + REMEMBERED_MS, answer: undefined }
    known.set(id, mine)
    const endsAt = performance.now() + remainingMs
    const { answer, after } = await done(body, (command) => obey(command, () => performance.now() < endsAt))
    mine.answer = answer
    try {
      await answered(id, answer)
    } finally {
      after?.()
    }
  }
  const answered = async (id: string, answer: string): Promise<void> => {
    await store.commands.answer(id, { worker, answer })
  }
  const look = async (): Promise<void> => {
    for (const [id, { forgetAt }] of known) if (forgetAt < performance.now()) known.delete(id)
    for (const command of await store.commands.pending(worker, since)) {
      // Not waited for: what takes long must not keep the next asker waiting.
      const attending: Promise<void> = attend(command)
        .catch(trouble)
        .finally(() => underWay.delete(attending))
      underWay.add(attending)
    }
  }
  const looking = lookOut({
    everyMs: LOOK_EVERY_MS,
    listen: (ring) => store.listen(`command:${worker}`, ring),
    look,
    trouble,
  })
  return {
    async close() {
      await looking.close()
      await Promise.all(underWay)
    },
  }
}

async function done(
  text: string,
  obey: (body: CommandBody) => Promise<Obeyed>,
): Promise<{ readonly answer: string; readonly after?: (() => void) | undefined }> {
  try {
    const body = JSON.parse(text) as CommandBody
    if (body.v !== 1) throw new Error('it is of another version of beatlock and does not know this command')
    const { ok, after } = await obey(body)
    return { answer: answerText(ok), after }
  } catch (error) {
    return { answer: errorAnswer(error as Error) }
  }
}
