import type { DeadLetter, DeadLetterStore } from '../../src/lock/dead-letter.js'
import type { LockKey } from '../../src/lock/key.js'
import { refArguments, scriptOn } from './argument.js'
import type { Connection } from './connection.js'
import { fieldsOf, numberOf } from './reply.js'
import { BURY, LETTER, LETTERS_OF, REMOVE } from './scripts/dead-letter.js'
import { appsOf, directoryShard } from './worker-row.js'

/** Dead letters in the shard of the app's directory. */
export function redisDeadLetters(connection: Connection, app: string): DeadLetterStore {
  return {
    async bury({ task, label, queue, code, message, ...ref }) {
      const args = [...refArguments(ref), task, label, queue, code, message]
      const [kept, now] = fieldsOf(await connection.ask(scriptOn(directoryShard(app), app, BURY, args)))
      return { kept: numberOf(kept) === 1, now: numberOf(now) }
    },
    async list({ allApps }) {
      const apps = allApps ? await appsOf(connection) : [app]
      const replies = await connection.askAll(apps.map((each) => scriptOn(directoryShard(each), each, LETTERS_OF, [])))
      return replies.flatMap((reply, at) => fieldsOf(reply).map((each) => letterOf(apps[at] as string, each)))
    },
    async show(messageId) {
      const reply = await connection.ask(scriptOn(directoryShard(app), app, LETTER, [messageId]))
      if (reply === null) return null
      const [letter, message] = fieldsOf(reply)
      return { ...letterOf(app, letter), message: String(message) }
    },
    async remove(messageId, round) {
      const reply = await connection.ask(scriptOn(directoryShard(app), app, REMOVE, [messageId, round]))
      const [removed, now] = fieldsOf(reply)
      return { removed: numberOf(removed) === 1, now: numberOf(now) }
    },
  }
}

function letterOf(app: string, reply: unknown): DeadLetter {
  const [key, messageId, round, task, label, queue, code, at] = fieldsOf(reply)
  return {
    app,
    key: String(key) as LockKey,
    messageId: String(messageId),
    round: numberOf(round),
    task: String(task),
    label: String(label),
    queue: String(queue),
    code: String(code),
    at: numberOf(at),
  }
}
