import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { App } from '../../src/index.js'
import type { Connection } from '../../src/task-base/connection.js'
import { loadApp } from '../../src/task-base/load-app.js'
import type { Ack } from './checker.js'
import type { Work } from './fault-app.js'
import { randomFrom } from './random.js'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.js'
import { setTrap, type Trap } from './trap.js'
import { breakStore, type Variant } from './variant.js'

/** What worker and publisher processes of a fault test have in common. */
export interface ProcessSpec {
  readonly module: string
  /** Locks are reached by this URL; undefined: as the messages are. */
  readonly locks?: string
  readonly trap?: Trap
  readonly variant?: Variant
}

export interface Call {
  readonly work: Work
  readonly overlap?: 'skip' | 'defer' | 'allow'
  readonly id?: string
  readonly expires?: `${number}s` | `${number}ms`
  readonly countdown?: `${number}s`
  readonly softTimeLimit?: `${number}ms`
  readonly timeLimit?: `${number}ms`
}

/** The app, its servers connected and its trap set. */
export async function openFaultApp(spec: ProcessSpec): Promise<App> {
  const broker = process.env['FAULT_BROKER'] ?? ''
  const proxy = spec.trap?.do === 'lose' ? await startTcpProxy(Number(new URL(broker).port)) : undefined
  const locks = proxy ? through(proxy, broker) : spec.locks
  const app = await loadApp({ module: spec.module, ...(locks === undefined ? {} : { locks }) })
  const connection = await app.connection()
  if (spec.variant) breakStore(connection.store, spec.variant)
  tellEnds(connection)
  if (spec.trap) setTrap(connection, spec.trap, () => proxy?.loseNextReply())
  // Whoever started this process is gone: so is the test.
  process.on('disconnect', () => process.exit(1))
  return app
}

/** What the store has acknowledged is written down before the worker hears of it. */
function tellEnds({ store }: Connection): void {
  const release = store.release.bind(store)
  store.release = async (request) => {
    const answer = await release(request)
    if (answer.outcome === 'released' && request.token !== null) {
      const line = { id: request.messageId, token: request.token, ns: String(process.hrtime.bigint()) }
      appendFileSync(process.env['FAULT_ENDS'] ?? '/dev/null', `${JSON.stringify(line)}\n`)
    }
    return answer
  }
}

/** The same server by another port. */
export function through(proxy: Pick<TcpProxy, 'port'>, url: string): string {
  const other = new URL(url)
  other.port = String(proxy.port)
  return other.href
}

/** One call; what was answered is written down before anyone hears of it. */
export async function callWork(app: App, { work, overlap, ...options }: Call): Promise<Ack> {
  const askedNs = process.hrtime.bigint()
  const message = await app.message(await app.targetOf('work'), [work], {
    ...options,
    ...(overlap ? { once: { overlap } } : {}),
  })
  const { outcome } = await app.publish(message)
  const answered = outcome === 'refused' ? 'rejected' : outcome === 'finished' ? 'published' : outcome
  const ack: Ack = { id: message.id, key: message.lock.key, outcome: answered, askedNs }
  appendFileSync(process.env['FAULT_ACKS'] ?? '/dev/null', `${JSON.stringify({ ...ack, askedNs: String(askedNs) })}\n`)
  return ack
}

export interface Hammer {
  readonly seed: number
  readonly ms: number
  readonly keys: number
  readonly longestMs: number
}

/** Calls at random until the time is over; a call whose fate is unknown was acknowledged to nobody. */
export async function hammer(app: App, { seed, ms, keys, longestMs }: Hammer): Promise<number> {
  const random = randomFrom(seed)
  const until = performance.now() + ms
  let calls = 0
  while (performance.now() < until) {
    const work: Work = { n: random.below(keys), ms: random.below(longestMs) }
    const overlap = random.below(2) === 0 ? 'skip' : 'defer'
    await callWork(app, { work, overlap }).then(
      () => (calls += 1),
      () => undefined,
    )
    await sleep(random.below(60))
  }
  return calls
}
