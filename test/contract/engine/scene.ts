import { setTimeout as sleep } from 'node:timers/promises'
import { lockKey } from '../../../src/lock/key.js'
import type { ConsumeOptions, Consumer, Delivery, Engine, Verdict } from '../../../src/task-base/engine.js'
import type { Message } from '../../../src/task-base/message.js'
import type { TestKit } from '../kit.js'

/** One test's engine. */
export interface EngineBench {
  readonly engine: Engine
  /** One more instance on the same server, as another process has it. */
  another(): Promise<Engine>
  /** Destroys the named queues and closes every instance. */
  close(queues: readonly string[]): Promise<void>
}

export type OpenEngine = () => Promise<EngineBench>

/** After how long a dead consumer's message comes back: as short as a real engine can do it. */
export const REDELIVER_MS = 1_500
/** Bound on every wait; long enough for a redelivery on a busy machine. */
const PATIENCE_MS = 12_000

/** What a consumer saw. */
export interface Seen {
  readonly ids: string[]
  readonly messages: Message[]
  /** Instants of delivery by `performance.now()`. */
  readonly times: number[]
  readonly acknowledged: string[]
  readonly trouble: Error[]
}

export interface Watched {
  readonly consumer: Consumer
  readonly seen: Seen
}

export interface EngineScene extends EngineBench {
  /** The same name always means the same queue of this test; no other test has it. */
  queue(name: string): string
  /** A message for the queue named `default` unless named otherwise. */
  message(id: string, over?: Partial<Message>): Message
  publish(id: string, over?: PublishOver): Promise<void>
  /** Consumes and writes down; acknowledges everything unless told otherwise. */
  watch(deliver?: (delivery: Delivery) => Promise<Verdict>, over?: WatchOver): Promise<Watched>
}

export interface PublishOver extends Partial<Message> {
  readonly delayMs?: number
  readonly head?: boolean
}

export interface WatchOver extends Partial<ConsumeOptions> {
  readonly engine?: Engine
}

/** What an engine may say of a message that has ended. */
export const ENDED: readonly unknown[] = ['finished', 'absent']
export const ACK: Verdict = { verdict: 'ack' }

export interface Gate<T> {
  readonly opened: Promise<T>
  readonly open: (value: T) => void
}

/** A promise and what resolves it. */
export function gate<T>(): Gate<T> {
  let open: (value: T) => void = () => {}
  const opened = new Promise<T>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

/** Waits for a condition; fails by name. */
export async function eventually(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited ${PATIENCE_MS} ms for ${what}`)
    await sleep(10)
  }
}

export type EngineTest = (title: string, body: (scene: EngineScene) => Promise<void>) => void

/** Declares tests that are each given a fresh engine; its consumers are ended and its queues removed at the end. */
export function engineTests(kit: TestKit, open: OpenEngine): EngineTest {
  let tests = 0
  return (title, body) => {
    kit.it(title, async () => {
      const bench = await open()
      tests += 1
      const consumers: Consumer[] = []
      const queues = new Map<string, string>()
      try {
        await body(sceneOf(bench, { consumers, queues, test: `t${process.pid}-${Date.now().toString(36)}-${tests}` }))
      } finally {
        await Promise.all(consumers.map((consumer) => consumer.close('now')))
        await bench.close([...queues.values()])
      }
    })
  }
}

interface Kept {
  readonly consumers: Consumer[]
  readonly queues: Map<string, string>
  readonly test: string
}

function sceneOf(bench: EngineBench, kept: Kept): EngineScene {
  const scene: EngineScene = {
    ...bench,
    queue: (name) => {
      const known = kept.queues.get(name) ?? `${kept.test}-${name}`
      kept.queues.set(name, known)
      return known
    },
    message: (id, over = {}) => messageOf(id, { queue: scene.queue('default'), ...over }),
    publish: (id, { delayMs = 0, head = false, ...over } = {}) =>
      bench.engine.publish(scene.message(id, over), { delayMs, head }),
    watch: async (deliver = async () => ACK, { engine = bench.engine, ...over } = {}) => {
      const seen: Seen = { ids: [], messages: [], times: [], acknowledged: [], trouble: [] }
      const consumer = await engine.consume({
        queues: [scene.queue('default')],
        concurrency: 1,
        redeliverAfterMs: REDELIVER_MS,
        deliver: (delivery) => {
          seen.times.push(performance.now())
          seen.ids.push(delivery.message.id)
          seen.messages.push(delivery.message)
          return deliver(delivery)
        },
        acknowledged: (message) => void seen.acknowledged.push(message.id),
        trouble: (error) => void seen.trouble.push(error),
        ...over,
      })
      kept.consumers.push(consumer)
      return { consumer, seen }
    },
  }
  return scene
}

export function messageOf(id: string, over: Partial<Message> & Pick<Message, 'queue'>): Message {
  return {
    v: 1,
    id,
    app: 'suite',
    task: 'suite.task',
    args: [{ feedId: 7 }],
    round: 0,
    priority: null,
    publishedAt: Date.now(),
    notBefore: null,
    expiresAt: null,
    maxRetries: 3,
    resultMs: 60_000,
    lock: {
      key: lockKey('suite.task', '[7]'),
      label: 'suite.task(feedId=7)',
      known: true,
      guarded: true,
      held: true,
      overlap: 'skip',
      keep: 'first',
      maxParked: 1,
      minRunMs: 0,
      timeoutMs: 60_000,
      limit: 1,
      mode: 'untilExecuted',
    },
    ...over,
  }
}
