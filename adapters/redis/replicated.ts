import { StoreUnavailable } from '../../src/lock/error.js'
import type { WaitReplicas } from '../../src/lock/wait-replicas.js'
import type { Connection } from './connection.js'

/** Of a step that ran on one connection, that of this number: `connection.generation` before it was asked for. */
interface Written {
  readonly connection: Connection
  readonly generation: number
  readonly wait: WaitReplicas
  /** A key beside what was written: in a cluster on the same node. */
  readonly marker: string
}

/**
 * Waits until replicas have what a step wrote. WAIT speaks of its own connection's last write, and a repeated step may have
 * written nothing: so a write of its own goes first, which no replica has without all before it. Both on the step's very
 * connection: another one may lead to another server.
 *
 * @throws StoreUnavailable where too few have it in time, or where that cannot be told.
 * @see https://redis.io/docs/latest/commands/wait/
 */
export async function untilReplicated({ connection, generation, wait, marker }: Written): Promise<void> {
  const { count, timeoutMs } = wait
  const [, heard] = await connection.askOnce([
    { command: 'SET', args: [marker, '', 'PX', '60000'] },
    { command: 'WAIT', args: [String(count), String(timeoutMs)] },
  ])
  if (connection.generation !== generation) throw tooFew(connection, 'the connection was lost meanwhile')
  if (Number(heard) < count)
    throw tooFew(connection, `${heard} of ${count} replicas had it within ${timeoutMs} ms (locks.waitReplicas)`)
}

function tooFew({ server }: Connection, why: string): StoreUnavailable {
  return new StoreUnavailable(server, `a lease does not count before replicas have it: ${why}`)
}
