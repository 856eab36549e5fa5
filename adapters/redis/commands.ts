import { byAge, type CommandStore } from '../../src/lock/command.js'
import { scriptOn } from './argument.js'
import type { Connection } from './connection.js'
import { fieldsOf, numberOf } from './reply.js'
import { ANSWER, ANSWERS, DROP, GIVE, PENDING } from './scripts/command.js'
import { directoryShard } from './worker-row.js'

/** Commands in the shard of the app's directory. */
export function redisCommands(connection: Connection, app: string): CommandStore {
  const ask = (script: typeof GIVE, args: readonly (string | number)[]): Promise<unknown> =>
    connection.ask(scriptOn(directoryShard(app), app, script, args))
  return {
    give: async ({ id, body, to, ttlMs }) => void (await ask(GIVE, [id, body, ttlMs, ...to])),
    pending: async (worker, since) => {
      const found = fieldsOf(await ask(PENDING, [worker, since])).map((each) => {
        const [id, body, givenAt, remainingMs] = fieldsOf(each)
        return { id: String(id), body: String(body), givenAt: numberOf(givenAt), remainingMs: numberOf(remainingMs) }
      })
      return found.sort(byAge)
    },
    answer: async (id, { worker, answer }) => numberOf(await ask(ANSWER, [id, worker, answer])) === 1,
    answers: async (id, but) =>
      fieldsOf(await ask(ANSWERS, [id, ...but])).map((each) => {
        const [worker, answer] = fieldsOf(each)
        return { worker: String(worker), answer: String(answer) }
      }),
    drop: async (id) => void (await ask(DROP, [id])),
  }
}
