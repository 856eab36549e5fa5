import type { JobsOptions, Queue } from 'bullmq'
import { BrokerUnavailable } from '../../src/lock/error.js'
import { asBrokerError } from './failure.js'
import type { JobData } from './job.js'

export interface NewJob {
  readonly name: string
  readonly data: JobData
  readonly opts: JobsOptions
}

/** Durable when resolved. */
export type AddJob = (job: NewJob) => Promise<void>

/** Fewer are as quick side by side as in one statement, which makes two temporary tables. */
const FEWEST = 8
/** Jobs a statement: one must not keep the rest waiting for long. */
const AT_ONCE = 100
/** What has waited for so long is not sent any more: its caller's lease may be over before it arrives. */
const PATIENCE_MS = 2_000

/**
 * Adds each job for itself, and as few statements what comes in a crowd: whatever is asked for while a statement is on its way leaves
 * together in the next one. Where that one is refused each asks again alone, so that one bad job fails no other.
 */
export function addingTogether(queue: Queue<JobData>): AddJob {
  const waiting: Waiting[] = []
  let sending = false
  const send = async (): Promise<void> => {
    while (waiting.length > 0) await addAll(queue, waiting.splice(0, AT_ONCE))
    sending = false
  }
  return (job) =>
    new Promise((resolve, reject) => {
      waiting.push({ job, resolve, reject, since: performance.now() })
      if (sending) return
      sending = true
      // What this turn still asks for comes along.
      queueMicrotask(() => void send())
    })
}

export async function addAlone(queue: Queue<JobData>, { name, data, opts }: NewJob): Promise<void> {
  await queue.add(name, data, opts)
}

interface Waiting {
  readonly job: NewJob
  readonly resolve: (added: void | Promise<void>) => void
  readonly reject: (error: unknown) => void
  readonly since: number
}

/** Never rejects. */
async function addAll(queue: Queue<JobData>, all: readonly Waiting[]): Promise<void> {
  const latest = performance.now() - PATIENCE_MS
  for (const { since, reject } of all) if (since < latest) reject(new Error('timed out before it was sent'))
  const batch = all.filter(({ since }) => since >= latest)
  if (batch.length < FEWEST) return addEach(queue, batch)
  try {
    await queue.addBulk(batch.map(({ job }) => ({ ...job })))
    for (const { resolve } of batch) resolve()
  } catch (error) {
    if (!isOutage(error)) return addEach(queue, batch)
    for (const { reject } of batch) reject(error)
  }
}

async function addEach(queue: Queue<JobData>, batch: readonly Waiting[]): Promise<void> {
  const added = batch.map(({ job, resolve }) => {
    const own = addAlone(queue, job)
    resolve(own)
    return own
  })
  await Promise.allSettled(added)
}

function isOutage(error: unknown): boolean {
  return asBrokerError('', error) instanceof BrokerUnavailable
}
