import type { Redis } from 'ioredis'
import type { Examined } from '../../src/lock/finding.js'
import { problem } from '../../src/lock/finding.js'
import type { ServerSource } from '../../src/task-base/redis-settings.js'
import { clientOf, connectOnce } from './client.js'
import { diagnose, type RedisFacts } from './diagnosis.js'
import { reasonOf } from './failure.js'

const TIMEOUT_MS = 3_000
const SETTINGS = ['appendonly', 'appendfsync', 'save', 'maxmemory', 'maxmemory-policy', 'min-replicas-to-write']

/** Looks at a server's settings and changes nothing; what opening refuses it is told here. Never rejects. */
export async function examine({ url, server }: { url: ServerSource; server: string }): Promise<Omit<Examined, 'role'>> {
  const redis = clientOf(url, TIMEOUT_MS)
  let trouble: Error | undefined
  redis.on('error', (error: Error) => {
    trouble = error
  })
  try {
    await connectOnce(redis)
    return { server, reached: true, findings: diagnose(await factsOf(redis)) }
  } catch (error) {
    const why = `it cannot be reached: ${reasonOf(trouble ?? error)}.`
    const cure = 'start it, or mend URL, credentials or network; nothing runs without it.'
    return { server, reached: false, findings: [problem('reached', why, cure)] }
  } finally {
    redis.disconnect()
  }
}

async function factsOf(redis: Redis): Promise<RedisFacts> {
  const clock = await clockOf(redis)
  const info = await allowed(redis.call('INFO', 'all'))
  // One by one: Redis 6 takes one name at a time, and passwords are none of our business.
  const replies = await Promise.all(SETTINGS.map((name) => allowed(redis.call('CONFIG', 'GET', name))))
  const config = new Map(replies.flatMap((reply) => (Array.isArray(reply) ? pairsOf(reply) : [])))
  return { clock, info: fieldsOf(String(info ?? '')), config: config.size > 0 ? config : undefined }
}

async function clockOf(redis: Redis): Promise<RedisFacts['clock']> {
  const sentAt = Date.now()
  const [seconds, micros] = (await redis.call('TIME')) as [string, string]
  const withinMs = (Date.now() - sentAt) / 2
  return { aheadMs: sentAt + withinMs - (Number(seconds) * 1000 + Number(micros) / 1000), withinMs }
}

/** Undefined where a user may not, or a managed server has no such command. */
async function allowed(asked: Promise<unknown>): Promise<unknown> {
  try {
    return await asked
  } catch (error) {
    if (/NOPERM|unknown command/i.test((error as Error).message)) return undefined
    throw error
  }
}

function fieldsOf(text: string): Map<string, string> {
  const lines = text.split('\r\n').filter((line) => line.includes(':'))
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]))
}

function pairsOf([name, value]: readonly unknown[]): [name: string, value: string][] {
  return name === undefined ? [] : [[String(name), String(value)]]
}
