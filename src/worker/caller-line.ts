import { UsageError } from '../lock/error.js'
import type { LockKey } from '../lock/key.js'
import type { SharedStore } from '../lock/shared.js'
import type { Caller } from '../task-base/connection.js'
import type { Message } from '../task-base/message.js'
import type { RunnerParent } from './runner.js'

/** What a child asks its parent when the servers are within the parent. */
type CallerQuestion =
  | { readonly ask: 'publish'; readonly message: Message }
  | { readonly ask: 'find'; readonly id: string; readonly key: LockKey | null }
  | { readonly ask: 'definition'; readonly task: string }
  | { readonly ask: 'shared'; readonly verb: keyof SharedStore; readonly request: never }

/** Calls from a child through its parent. Parent and child share the host's clock, which is such a store's too. */
export function callerThrough(parent: RunnerParent): Caller {
  const ask = (question: CallerQuestion) => parent.ask(question) as Promise<never>
  return {
    now: () => Date.now(),
    publish: (message) => ask({ ask: 'publish', message }),
    find: (id, key) => ask({ ask: 'find', id, key }),
    definition: (task) => ask({ ask: 'definition', task }),
    shared: sharedThrough((verb, request) => ask({ ask: 'shared', verb, request: request as never })),
  }
}

function sharedThrough(ask: (verb: keyof SharedStore, request: unknown) => Promise<never>): SharedStore {
  return {
    get: (key) => ask('get', key),
    ttl: (key) => ask('ttl', key),
    set: (write) => ask('set', write),
    compareAndSet: (swap) => ask('compareAndSet', swap),
    increment: (increase) => ask('increment', increase),
    delete: (request) => ask('delete', request),
  }
}

/** The parent's side: answers a child's question with its own caller. */
export async function answerCaller(caller: Caller, call: unknown): Promise<unknown> {
  const question = call as CallerQuestion
  switch (question.ask) {
    case 'publish':
      return caller.publish(question.message)
    case 'find':
      return caller.find(question.id, question.key)
    case 'definition':
      return caller.definition(question.task)
    case 'shared':
      return caller.shared[question.verb](question.request)
    default:
      throw new UsageError('a child asked something that its parent does not know.')
  }
}
