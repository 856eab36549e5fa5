import type { Emitter } from '../lock/emit.js'
import { UsageError } from '../lock/error.js'
import type { AppEvents } from '../task-base/event.js'
import { type LogLevel, readCommand, type WorkerCommand } from '../task-base/worker-command.js'
import type { Capacity } from './capacity.js'
import type { Obey, Obeyed } from './follow-commands.js'
import { type Inspected, inspect } from './inspect.js'

/** What only the process around a worker can do. */
export interface Steering {
  /** Stops warm, as by SIGTERM. */
  readonly shutdown: () => void
  readonly logLevel: (level: LogLevel) => void
}

/** What a worker serves, to be changed. `served`: whether it did until now. */
export interface Queues {
  add(queue: string): Promise<readonly string[]>
  cancel(queue: string): Promise<{ readonly queues: readonly string[]; readonly served: boolean }>
}

export interface ObeyOptions {
  readonly inspected: Inspected
  readonly worker: string
  readonly capacity: Capacity
  readonly queues: Queues
  readonly steering: Steering | undefined
  readonly events: Emitter<AppEvents>
  readonly stopping: () => boolean
}

type Change = Exclude<WorkerCommand, { do: 'inspect' }>

/**
 * Does what a worker is told: questions at once, changes one after another, never while it stops, and none whose asker
 * gave up before its turn: whoever asks again would have it twice.
 */
export function obeyOrders(options: ObeyOptions): Obey {
  const { inspected, worker, events, stopping } = options
  let last: Promise<unknown> = Promise.resolve()
  const change = async (command: Change, inTime: () => boolean): Promise<Obeyed> => {
    if (stopping()) throw new UsageError('it is stopping')
    if (!inTime()) throw new UsageError('other changes took until nobody waited for this one any more')
    return changeWorker(options, command)
  }
  return async ({ from, command: given }, inTime) => {
    const command = readCommand(given)
    if (command.do === 'inspect') return { ok: await inspect(inspected, command.what) }
    events.emit('worker:told', { worker, command: command.do, from })
    const changed = last.then(() => change(command, inTime))
    last = changed.catch(() => undefined)
    return changed
  }
}

async function changeWorker(of: ObeyOptions, command: Change): Promise<Obeyed> {
  const { capacity, queues } = of
  switch (command.do) {
    case 'grow':
      return resize(capacity, command.by)
    case 'shrink':
      return resize(capacity, -command.by)
    case 'addQueue':
      return { ok: { queues: await queues.add(command.queue) } }
    case 'cancelQueue':
      return { ok: await queues.cancel(command.queue) }
    default:
      return steer(of, command)
  }
}

async function resize(capacity: Capacity, by: number): Promise<Obeyed> {
  const size = capacity.size + by
  if (size < 1) throw new UsageError(`it runs ${capacity.size} at once: at least one must stay`)
  await capacity.resize(size)
  return { ok: { concurrency: capacity.size } }
}

function steer(
  { steering, inspected }: ObeyOptions,
  command: Extract<Change, { do: 'shutdown' | 'logLevel' }>,
): Obeyed {
  if (!steering) throw new UsageError('the process that it is part of does not let it')
  if (command.do === 'logLevel') {
    steering.logLevel(command.level)
    return { ok: { level: command.level } }
  }
  const running = inspected.pool.children().filter(({ runId }) => runId !== null).length
  // Told first: a worker that has stopped can answer nobody.
  return { ok: { running }, after: steering.shutdown }
}
