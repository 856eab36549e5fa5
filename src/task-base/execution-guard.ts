import { ulid } from '../lock/ulid.js'
import type { BodyRequest } from './body.js'
import type { Endings } from './endings.js'
import type { Verdict } from './engine.js'
import { encodeMessage, type Message } from './message.js'
import type { ExecutionPorts, Granted, Run, RunBounds } from './run.js'
import { endUnstarted, finish } from './run-end.js'
import { takeSeat } from './run-grant.js'

export interface Delivering {
  readonly message: Message
  readonly bounds: RunBounds
  /** Of this worker. */
  readonly endings: Endings
  /** Told when the body has ended, if there was one: what is left is to write that down. */
  readonly bodyEnded: () => void
}

/**
 * One delivery: barrier, grant, body, and the end in reverse order. The verdict is given only once the record knows
 * the end, so a process that dies anywhere in here is followed by a redelivery that the record answers rightly.
 */
export async function guardExecution(
  ports: ExecutionPorts,
  { message, bounds, endings, bodyEnded }: Delivering,
): Promise<Verdict> {
  const ref = { key: message.lock.key, messageId: message.id, round: message.round }
  await endings.over(ref.key)
  if (message.expiresAt !== null && message.expiresAt <= ports.now()) {
    return endUnstarted(ports, message, { outcome: 'expired', code: 'EXPIRED' })
  }
  const seated = await takeSeat({ ports, message, ref, bounds, runId: ulid() })
  if ('verdict' in seated) return seated
  const { run, granted } = seated
  const startedAt = performance.now()
  const end = await ports.run(bodyOf(run, granted))
  const finished = finish(run, granted, end, performance.now() - startedAt)
  endings.add(ref.key, finished)
  bodyEnded()
  return finished
}

function bodyOf(run: Run, granted: Granted): BodyRequest {
  const { token, deliveries, retries, deadlineNs } = granted
  return {
    runId: run.runId,
    message: encodeMessage(run.message),
    token,
    space: run.ports.store.space,
    deliveries,
    retries,
    deadlineNs,
    softLimitMs: run.bounds.softTimeLimitMs,
    hardLimitMs: run.bounds.timeLimitMs,
  }
}
