import { bury, type DeadLetter, type DeadLetterStore, lettersOf, remove } from '../../src/lock/dead-letter.js'
import { locksOf, type MemoryServer } from './server.js'

/** Dead letters within this process. */
export function memoryDeadLetters(server: MemoryServer, app: string): DeadLetterStore {
  const { now } = server
  const box = (name = app) => locksOf(server, name).dead
  const all = (name: string) => lettersOf(box(name), now()).map((letter) => ({ ...letter, app: name }))
  return {
    bury: async (burial) => ({ kept: bury(box(), burial, now()), now: now() }),
    list: async ({ allApps }) => (allApps ? [...server.apps.keys()].sort() : [app]).flatMap(all).map(withoutText),
    show: async (messageId) => all(app).find((letter) => letter.messageId === messageId) ?? null,
    remove: async (messageId, round) => ({ removed: remove(box(), messageId, round, now()), now: now() }),
  }
}

function withoutText({ message, ...letter }: DeadLetter & { message: string }): DeadLetter {
  return letter
}
