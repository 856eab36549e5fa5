import type { Servers } from '../connect.js'
import type { Emitter } from '../lock/emit.js'
import { ServerUnavailable } from '../lock/error.js'
import type { GuardDefinition } from '../lock/guard-definition.js'
import type { LockKey } from '../lock/key.js'
import type { LockStore } from '../lock/lock-store.js'
import type { MessageView } from '../lock/lock-view.js'
import { ServerClock } from '../lock/server-clock.js'
import type { SharedStore } from '../lock/shared.js'
import { watchClock } from './clock-watch.js'
import { Confirmations } from './confirmation.js'
import type { Counters } from './counters.js'
import { PublishUnknown } from './error.js'
import type { AppEvents } from './event.js'
import type { Message } from './message.js'
import { watchMissing } from './missing.js'
import { PUBLISH_LEASE_MS, type Published, type PublishPorts, publishGuarded } from './publish-guard.js'
import { type SweepPorts, settleDoubt, subject } from './sweeper.js'

/** What calling tasks needs, whether the servers are reached from here or through the parent process. */
export interface Caller {
  /** Epoch ms by the store's clock. */
  now(): number
  publish(message: Message): Promise<Published>
  find(id: string, key: LockKey | null): Promise<MessageView>
  readonly listen?: LockStore['listen']
  definition(task: string): Promise<GuardDefinition | null>
  readonly shared: SharedStore
}

/** One app's way to its servers. */
export interface Connection extends Caller {
  readonly servers: Servers
  readonly store: LockStore
  readonly sweep: SweepPorts
  /** Betters the estimate of the store's clock by an answer's `now`; `sentAt`: `performance.now()` before sending. */
  observe(storeNow: number, sentAt: number): void
  /** Sends what is still to be confirmed, then lets go of the servers. */
  close(): Promise<void>
}

/** How long a definition told by workers is believed before it is read again. */
const DEFINITION_MS = 5_000

const CLOCK_LOOK_MS = 1_000
/** In looks. */
const SAMPLE_EVERY = 60

export async function openConnection(
  servers: Servers,
  options: { readonly resultMs: number; readonly events: Emitter<AppEvents>; readonly counters?: Counters },
): Promise<Connection> {
  const { lockStore: store, engine } = servers
  const { events, resultMs } = options
  const clock = new ServerClock()
  const compare = watchClock(events)
  const sample = async (): Promise<void> => {
    const sentAt = performance.now()
    clock.observe(await store.now(), sentAt)
    compare(clock.now(), Date.now())
  }
  await sample().catch(async (error: unknown) => {
    await servers.close().catch(() => undefined)
    throw error
  })
  const stopSampling = keepSampled(clock, () => sample().catch(() => undefined))
  const now = (): number => clock.now()
  const sweep: SweepPorts = { store, engine, now, resultMs, events }
  const missing = watchMissing(sweep)
  const flushCounters = options.counters?.flushTo(store.counts)
  const confirmations = new Confirmations(store, (error) => events.emit('trouble', { where: 'confirmation', error }))
  const confirm = (message: Message): void =>
    confirmations.add({ key: message.lock.key, messageId: message.id, round: message.round })
  const ports = {
    store,
    engine,
    now,
    confirm,
    settle: (doubt: Parameters<typeof settleDoubt>[1]) => settleDoubt(sweep, doubt),
  }
  return {
    servers,
    store,
    sweep,
    observe: (storeNow, sentAt) => clock.observe(storeNow, sentAt),
    now,
    publish: (message) => published({ ...ports, events }, message),
    find: (id, key) => store.find(id, key),
    listen: (topic, look) => store.listen(topic, look),
    definition: remembered((task) => store.definition(task)),
    shared: store.shared,
    async close() {
      stopSampling()
      await missing.close()
      await confirmations.flush()
      await flushCounters?.()
      await servers.close()
    },
  }
}

/** What is definitely not with the engine frees its key at once; what may be there keeps it until a sweeper has asked. */
async function published(
  ports: PublishPorts & { readonly events: Emitter<AppEvents> },
  message: Message,
): Promise<Published> {
  try {
    return await publishGuarded(ports, message)
  } catch (error) {
    if (error instanceof ServerUnavailable) {
      if (error.code === 'BROKER_UNAVAILABLE') throw new PublishUnknown(message.id, error)
      throw error
    }
    if (message.lock.held) await abandon(ports.store, message)
    ports.events.emit('call:failed', { ...subject(message), code: 'PUBLISH_FAILED' })
    throw error
  }
}

async function abandon(store: LockStore, message: Message): Promise<void> {
  const ref = { key: message.lock.key, messageId: message.id, round: message.round }
  const end = { outcome: 'failed', code: 'PUBLISH_FAILED', result: null, error: null, token: null } as const
  const { resultMs } = message
  await store.release({ ...ref, ...end, publishLeaseMs: PUBLISH_LEASE_MS, resultMs }).catch(() => undefined)
}

function remembered(read: (task: string) => Promise<GuardDefinition | null>): Caller['definition'] {
  const known = new Map<string, { definition: GuardDefinition | null; until: number }>()
  return async (task) => {
    const cached = known.get(task)
    if (cached && cached.until > performance.now()) return cached.definition
    const definition = await read(task)
    known.set(task, { definition, until: performance.now() + DEFINITION_MS })
    return definition
  }
}

/** Asks for the store's time once a minute, and as soon as this machine woke from its sleep. */
function keepSampled(clock: ServerClock, sample: () => Promise<void>): () => void {
  let looks = 0
  const timer = setInterval(() => {
    looks = clock.doubtful ? SAMPLE_EVERY : looks + 1
    if (looks < SAMPLE_EVERY) return
    looks = 0
    void sample()
  }, CLOCK_LOOK_MS).unref()
  return () => clearInterval(timer)
}
