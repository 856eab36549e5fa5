import { Redis } from 'ioredis'
import { UsageError } from '../../src/lock/error.js'

/** One connection to one node. */
export interface QuorumNode {
  readonly client: Redis
  /** Host and port, without credentials. */
  readonly server: string
  /** Of the server process that it was last seen to be. */
  runId: string | undefined
  /** Why it does not vote; undefined while it does. */
  why: string | undefined
  /** No new connection is tried for: a try that was put off outlives the client's own end. */
  closed: boolean
}

export const NO_CONNECTION = 'no connection'
const CONNECT_MS = 300
/** A node is out of the vote that says nothing for so long. */
const COMMAND_MS = 400
const LONGEST_PAUSE_MS = 500

/**
 * A connection on which nothing queues and nothing is sent again: a vote that cannot be asked for now is not given. With
 * the client's defaults an acquire would hang for as long as two of three nodes are away.
 */
export function nodeOf(url: string, patience = { connectMs: CONNECT_MS, commandMs: COMMAND_MS }): QuorumNode {
  const { hostname, port, username, password, pathname, protocol } = new URL(url)
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  const retryMs = (times: number): number => Math.min(25 * 2 ** Math.min(times, 10), LONGEST_PAUSE_MS)
  const client = new Redis({
    host,
    port: port === '' ? 6379 : Number(port),
    db: Number(pathname.replace('/', '') || 0),
    lazyConnect: true,
    protocol: 2,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    commandTimeout: patience.commandMs,
    connectTimeout: patience.connectMs,
    disconnectTimeout: 100,
    keepAlive: 5_000,
    retryStrategy: (times) => (node.closed ? null : retryMs(times)),
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
    ...(protocol === 'rediss:' ? { tls: { servername: host } } : {}),
  })
  const node: QuorumNode = {
    client,
    server: `${hostname}:${port === '' ? 6379 : port}`,
    runId: undefined,
    why: NO_CONNECTION,
    closed: false,
  }
  return node
}

/**
 * Looks, at each connection, whether the node can vote: a primary that evicts nothing, since a seat has a lifetime and
 * would be evicted under memory pressure. What it does not let us see is not checked.
 *
 * @throws UsageError with advice; whatever the connection throws
 */
export async function checkNode(node: QuorumNode): Promise<void> {
  const { client, server } = node
  const [info, policy] = await Promise.all([
    allowed(client.call('INFO')),
    allowed(client.call('CONFIG', 'GET', 'maxmemory-policy')),
  ])
  const text = String(info)
  node.runId = /^run_id:(\w+)/m.exec(text)?.[1]
  if (/^role:slave/m.test(text))
    throw new UsageError(`${server} is a replica: the nodes of a quorum are independent servers that take writes.`)
  if (/^cluster_enabled:1/m.test(text))
    throw new UsageError(`${server} is a node of a Redis Cluster: the nodes of a quorum are servers of their own.`)
  const eviction = Array.isArray(policy) ? String(policy[1]) : 'noeviction'
  if (eviction !== 'noeviction')
    throw new UsageError(
      `${server} may evict keys that have a lifetime (maxmemory-policy ${eviction}), and with them votes of the quorum; set it to noeviction.`,
    )
}

/** Managed servers hide commands behind permissions or rename them. */
async function allowed(asked: Promise<unknown>): Promise<unknown> {
  try {
    return await asked
  } catch (error) {
    if (/NOPERM|unknown command/i.test((error as Error).message)) return undefined
    throw error
  }
}

/** The node refuses the URL's user or password. */
export function refusesCredentials({ why = '' }: QuorumNode): boolean {
  return /^(NOAUTH|WRONGPASS)/.test(why)
}

/** One line for people; the client's own texts carry host and port, never credentials. */
export function whyOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  if (message === 'Command timed out') return 'it did not answer in time'
  if (/max retries per request|Connection is closed|isn't writeable|aborted/.test(message)) return NO_CONNECTION
  return message
}
