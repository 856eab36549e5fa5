import type { Redis } from 'ioredis'
import { ExecutionError, ResourceLockedError } from 'redlock'

/** How the nodes voted, once each has answered or its time was up. */
export interface Votes {
  readonly quorum: number
  /** For us. */
  readonly yes: readonly Redis[]
  /** Answered that the seat is another's, or nobody's. */
  readonly no: readonly Redis[]
  /** Said nothing, or that they cannot serve. */
  readonly silent: ReadonlyMap<Redis, Error>
}

/** @throws what is no count of votes: a fault of ours */
export async function votesOfError(error: unknown): Promise<Votes> {
  if (error instanceof ExecutionError) return votesOf(error.attempts)
  throw error
}

/** As redlock counts them. */
interface Counted {
  readonly quorumSize: number
  readonly votesFor: ReadonlySet<Redis>
  readonly votesAgainst: ReadonlyMap<Redis, Error>
}

/** Of the last attempt. Never rejects: redlock settles its counts when all votes are in. */
export async function votesOf(attempts: readonly Promise<Counted>[]): Promise<Votes> {
  const stats = (await Promise.all(attempts)).at(-1)
  if (!stats) throw new Error('redlock asked nobody')
  const against = [...stats.votesAgainst]
  return {
    quorum: stats.quorumSize,
    yes: [...stats.votesFor],
    no: against.flatMap(([node, error]) => (error instanceof ResourceLockedError ? [node] : [])),
    silent: new Map(against.filter(([, error]) => !(error instanceof ResourceLockedError))),
  }
}
