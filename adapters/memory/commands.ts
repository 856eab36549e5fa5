import { answersOf, type CommandStore, give, keepAnswer, pendingOf } from '../../src/lock/command.js'
import { listenersOf, locksOf, type MemoryServer } from './server.js'

/** Commands within this process. */
export function memoryCommands(server: MemoryServer, app: string): CommandStore {
  const { now } = server
  const box = () => locksOf(server, app).commands
  const tell = (topic: `command:${string}` | `answer:${string}`) =>
    queueMicrotask(() => listenersOf(server, app).tell(topic))
  return {
    give: async (command) => {
      give(box(), command, now())
      for (const worker of command.to) tell(`command:${worker}`)
    },
    pending: async (worker, since) => pendingOf(box(), { worker, since }, now()),
    answer: async (id, answer) => {
      const kept = keepAnswer(box(), id, answer, now())
      if (kept) tell(`answer:${id}`)
      return kept
    },
    answers: async (id, but) => answersOf(box(), id, but),
    drop: async (id) => void box().delete(id),
  }
}
