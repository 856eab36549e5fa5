import type { Answer } from './answer.js'

/** One worker as others see it. Written with its batch of renewals; dead when not seen for 15 s. */
export interface WorkerRow {
  readonly app: string
  readonly name: string
  readonly host: string
  readonly pid: number
  readonly queues: readonly string[]
  readonly tasks: readonly string[]
  /** By task, how it is guarded: a mark that is the same where the definition is. */
  readonly guards: Readonly<Record<string, string>>
  readonly version: string
  readonly concurrency: number
  /** Runs that it held at its last sign of life; the keeper counts them. Absent: of an earlier version. */
  readonly running?: number
  /** Epoch ms. */
  readonly startedAt: number
  /** Epoch ms by the store's clock of the last sign of life; the store sets it, what is sent is ignored. */
  readonly seenAt: number
}

export interface Attendance extends Answer {
  readonly workers: readonly Pick<WorkerRow, 'name' | 'seenAt'>[]
}
