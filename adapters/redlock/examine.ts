import { type Examined, type Finding, fine, problem } from '../../src/lock/finding.js'
import { nodeOf, type QuorumNode, whyOf } from './node.js'

/** Nothing waits for it but an operator. */
const PATIENCE = { connectMs: 3_000, commandMs: 3_000 }
const SHORT = 'start it, or mend URL, credentials or network; the quorum bears the loss of a minority.'

/** Looks at each node of a quorum. Never rejects. */
export async function examine(urls: readonly string[]): Promise<Omit<Examined, 'role'>[]> {
  const nodes = urls.map((url) => nodeOf(url, PATIENCE))
  const examined = await Promise.all(nodes.map(examineNode))
  return examined.map((each, at) => {
    const twin = nodes.find((other, n) => n < at && other.runId !== undefined && other.runId === nodes[at]?.runId)
    if (!twin) return each
    const says = `it is the same server as ${twin.server}: its vote would count twice, so beatlock refuses it.`
    return { ...each, findings: [...each.findings, problem('independence', says, 'name independent servers.')] }
  })
}

async function examineNode(node: QuorumNode): Promise<Omit<Examined, 'role'>> {
  const { client, server } = node
  let trouble: Error | undefined
  client.on('error', (error: Error) => {
    trouble = error
  })
  try {
    await client.connect()
    const info = await allowed(client.call('INFO'))
    node.runId = /^run_id:(\w+)/m.exec(info)?.[1]
    const appendonly = await allowed(client.call('CONFIG', 'GET', 'appendonly'))
    const policy = await allowed(client.call('CONFIG', 'GET', 'maxmemory-policy'))
    return { server, reached: true, findings: [role(info), persistence(info, appendonly), eviction(info, policy)] }
  } catch (error) {
    const says = `it cannot be reached: ${whyOf(trouble ?? error)}.`
    return { server, reached: false, findings: [problem('reached', says, SHORT)] }
  } finally {
    client.disconnect()
  }
}

function role(info: string): Finding {
  if (/^role:slave/m.test(info))
    return problem('role', 'a replica: beatlock refuses it, since it takes no votes.', 'name independent primaries.')
  if (/^cluster_enabled:1/m.test(info))
    return problem('role', 'a node of a Redis Cluster: beatlock refuses it.', 'name servers of their own.')
  return fine('role', 'a primary of its own.')
}

function persistence(info: string, setting: string): Finding {
  const on = setting === '' ? /^aof_enabled:1/m.test(info) : /,yes$/.test(setting)
  if (on) return fine('persistence', 'appendonly is on: it remembers its votes over a restart.')
  return problem(
    'persistence',
    'it forgets its votes when it restarts: a majority that does so between two renewals lets a second run in, as far as the quorum goes.',
    "set 'appendonly yes' on it.",
  )
}

function eviction(info: string, setting: string): Finding {
  const policy = /,(.+)$/.exec(setting)?.[1] ?? /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? 'noeviction'
  if (policy === 'noeviction') return fine('eviction', 'noeviction: no vote is thrown away.')
  return problem(
    'eviction',
    `${policy}: it may throw votes away; beatlock refuses it.`,
    "set 'maxmemory-policy noeviction'.",
  )
}

/** '' where a user may not, or a managed server has no such command. */
async function allowed(asked: Promise<unknown>): Promise<string> {
  try {
    return String(await asked)
  } catch (error) {
    if (/NOPERM|unknown command/i.test((error as Error).message)) return ''
    throw error
  }
}
