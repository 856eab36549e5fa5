import type { CommandAnswer, CommandStore } from '../../src/lock/command.js'
import type { Database } from './database.js'
import { answers, drop, type PendingRow, pending } from './statements/command.js'

/** Commands as rows, and a row for each worker that is asked. */
export function postgresCommands(db: Database, app: string): CommandStore {
  return {
    give: async ({ id, body, to, ttlMs }) => void (await db.call('give_command_v1', [app, id, body, to, ttlMs])),
    pending: (worker, since) => db.run<PendingRow>(pending(db.schema), [app, worker, since]),
    answer: (id, { worker, answer }) => db.call<boolean>('answer_command_v1', [app, id, worker, answer]),
    answers: (id, but) => db.run<CommandAnswer>(answers(db.schema), [app, id, but]),
    drop: async (id) => void (await db.run(drop(db.schema), [app, id])),
  }
}
