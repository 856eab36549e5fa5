import type { DeadLetter, DeadLetterStore } from '../../src/lock/dead-letter.js'
import type { Database } from './database.js'
import { deadLetterOf, deadLetters } from './statements/dead-letter.js'

/** Dead letters as rows. */
export function postgresDeadLetters(db: Database, app: string): DeadLetterStore {
  return {
    bury: ({ message, ...burial }) => db.call('bury_v1', [app, JSON.stringify(burial), message]),
    async list({ allApps }) {
      const rows = await db.run<{ letter: DeadLetter }>(deadLetters(db.schema), [app, allApps])
      return rows.map(({ letter }) => letter)
    },
    async show(messageId) {
      const [row] = await db.run<{ letter: DeadLetter; message: string }>(deadLetterOf(db.schema), [app, messageId])
      return row ? { ...row.letter, message: row.message } : null
    },
    remove: (messageId, round) => db.call('remove_dead_letter_v1', [app, messageId, round]),
  }
}
