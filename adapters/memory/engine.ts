import type { Consumer, Engine } from '../../src/task-base/engine.js'
import { decodeMessage, encodeMessage } from '../../src/task-base/message.js'
import { queueOf, tellAll } from './broker.js'
import { MemoryConsumer } from './consumer.js'
import { brokerOf, type MemoryServer } from './server.js'

/** The engine of one process. Messages travel as text, as on a real one; delays and redeliveries are real time. */
export function openEngine({ server, app }: { server: MemoryServer; app: string }): Engine {
  const broker = brokerOf(server, app)
  const consumers: Consumer[] = []
  return {
    publish: async (message, { delayMs, head }) => {
      const { queue, priority } = message
      const id = placeId(message.id, message.round)
      queueOf(broker, queue).publish({ id, text: encodeMessage(message), priority: priority ?? 0, head, delayMs })
      tellAll(broker)
    },
    state: async (queue, messageId, round = 0) => queueOf(broker, queue).state(placeId(messageId, round)),
    peek: async (queue, messageId) => {
      const text = queueOf(broker, queue).textOf(placeId(messageId, 0))
      return text === undefined ? null : decodeMessage(text)
    },
    consume: async (options) => {
      const consumer = new MemoryConsumer(broker, options)
      consumers.push(consumer)
      return consumer
    },
    counts: async (queue) => queueOf(broker, queue).counts(),
    delayed: async (queue, limit) => queueOf(broker, queue).delayed(limit).map(decodeMessage),
    queues: async () => [...broker.queues.keys()],
    purge: async (name, { ended, removed }) => {
      const queue = queueOf(broker, name)
      for (const { id, text } of queue.idle()) {
        const message = decodeMessage(text)
        if ((await ended(message)) && queue.remove(id)) await removed([message])
      }
    },
    destroy: async (queues) => {
      for (const queue of queues) broker.queues.delete(queue)
    },
    close: async () => {
      await Promise.all(consumers.splice(0).map((consumer) => consumer.close('now')))
    },
  }
}

/** Each round of a message has a place of its own in its queue. No id of a message has a slash. */
function placeId(messageId: string, round: number): string {
  return round === 0 ? messageId : `${messageId}/${round}`
}
