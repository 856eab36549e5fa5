import type { Doubt, EngineState, ResolveAnswer } from '../lock/doubt.js'
import type { Emitter } from '../lock/emit.js'
import type { Promotion } from '../lock/hold.js'
import type { LockStore } from '../lock/lock-store.js'
import type { Engine } from './engine.js'
import type { AppEvents } from './event.js'
import { DIRECT_QUEUE, decodeMessage, isDirectMarker, type Message } from './message.js'
import { delayOf, PUBLISH_LEASE_MS } from './publish-guard.js'

/** Starts of one message that never ended, until it is given up. */
export const MAX_DELIVERIES = 3
const SWEEP_EVERY_MS = 1_000
const SWEEP_LIMIT = 100
/** Spread of the sweeps that a notice brings forward: the first of many sweepers mostly spares the others. */
const WAKE_WITHIN_MS = 50

export interface SweepPorts {
  readonly store: LockStore
  readonly engine: Engine
  readonly now: () => number
  readonly resultMs: number
  readonly events: Emitter<AppEvents>
}

/**
 * A parked call whose turn has come goes to the engine. Repeating it after any crash does no harm. A direct call is a
 * process that waits: it sees its turn itself, or loses it at the end of its wait.
 */
export async function publishPromotion(ports: SweepPorts, promotion: Promotion): Promise<void> {
  if (isDirectMarker(promotion.message)) return
  // A parked call that took a newer call's arguments (`keep: 'latest'`) keeps its own id.
  const { messageId: id, round } = promotion
  const message = { ...decodeMessage(promotion.message), id, round }
  await ports.engine.publish(message, { delayMs: delayOf(message, ports.now()), head: true })
  await ports.store.confirm([promotion])
  ports.events.emit('call:promoted', subject(message))
}

/** Asks the engine about one hold that only it can settle, and settles it by its word. */
export async function settleDoubt(
  ports: SweepPorts,
  doubt: Doubt,
): Promise<{ readonly state: EngineState; readonly outcome: ResolveAnswer['outcome'] }> {
  const { queue, messageId, round, key, stage } = doubt
  // A direct run has no message: nothing will deliver it again.
  const state = queue === DIRECT_QUEUE ? 'absent' : await ports.engine.state(queue, messageId, round)
  const { resultMs } = ports
  const request = { doubt, state, maxDeliveries: MAX_DELIVERIES, publishLeaseMs: PUBLISH_LEASE_MS, resultMs }
  const answer = await ports.store.resolve(request)
  const { outcome } = answer
  if (outcome === 'kept') return { state, outcome }
  const ended = outcome === 'freed' ? (answer.record?.outcome ?? null) : null
  ports.events.emit('lock:resolved', { key, id: messageId, stage, outcome, ended })
  if (outcome === 'freed' && answer.promotion) await publishPromotion(ports, answer.promotion)
  return { state, outcome }
}

/** One pass: what is over ends, what is due goes out. Answers whether there may be more at once. */
async function sweepOnce(ports: SweepPorts, tellLoss: (remainingMs: number) => void): Promise<boolean> {
  const { resultMs } = ports
  const due = await ports.store.sweep({ limit: SWEEP_LIMIT, publishLeaseMs: PUBLISH_LEASE_MS, resultMs })
  if (due.recoveringMs !== undefined) tellLoss(due.recoveringMs)
  for (const promotion of due.promotions) await attempt(ports, () => publishPromotion(ports, promotion))
  for (const doubt of due.doubts) await attempt(ports, async () => void (await settleDoubt(ports, doubt)))
  return due.promotions.length + due.doubts.length >= SWEEP_LIMIT
}

/** One failing key must not keep the others waiting; it is due again in a moment. */
async function attempt(ports: SweepPorts, step: () => Promise<void>): Promise<void> {
  try {
    await step()
  } catch (error) {
    ports.events.emit('trouble', { where: 'sweep', error: error as Error })
  }
}

export interface Sweeper {
  close(): Promise<void>
}

/** Sweeps about once a second, jittered so that many workers do not all ask at once, and soon after a notice. */
export function startSweeper(
  ports: SweepPorts,
  options: { readonly keepsProcess: boolean } = { keepsProcess: true },
): Sweeper {
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  let pass: Promise<void> | undefined
  let due = false
  const tellLoss = onceALoss((remainingMs) => ports.events.emit('lock:recovering', { remainingMs }))
  const plan = (): void => {
    if (stopped) return
    clearTimeout(timer)
    const delayMs = due ? WAKE_WITHIN_MS * Math.random() : SWEEP_EVERY_MS * (0.75 + Math.random() / 2)
    timer = setTimeout(() => {
      due = false
      pass = sweep().finally(() => {
        pass = undefined
        plan()
      })
    }, delayMs)
    if (!options.keepsProcess) timer.unref()
  }
  const sweep = async (): Promise<void> => {
    try {
      while (!stopped && (await sweepOnce(ports, tellLoss)));
    } catch (error) {
      ports.events.emit('trouble', { where: 'sweep', error: error as Error })
    }
  }
  const unlisten = ports.store.listen('due', () => {
    if (due) return
    due = true
    if (!pass) plan()
  })
  plan()
  return {
    async close() {
      stopped = true
      unlisten()
      clearTimeout(timer)
      await pass
    },
  }
}

/** While the store recovers each sweep says so. */
function onceALoss(tell: (remainingMs: number) => void): (remainingMs: number) => void {
  let untilMs = 0
  return (remainingMs) => {
    const known = performance.now() < untilMs
    untilMs = Math.max(untilMs, performance.now() + remainingMs)
    if (!known) tell(remainingMs)
  }
}

export function subject(message: Message): AppEvents['call:published'] {
  return { id: message.id, task: message.task, key: message.lock.key, label: message.lock.label }
}
