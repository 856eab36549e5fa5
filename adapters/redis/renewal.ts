import type { MessageRef } from '../../src/lock/hold.js'
import type { RenewAnswer, Renewal, RenewalAnswer, RenewBatch } from '../../src/lock/renewal.js'
import { refArguments, scriptOn } from './argument.js'
import type { Connection, Request } from './connection.js'
import { fieldsOf, numberOf, renewalAnswer } from './reply.js'
import { CONFIRM } from './scripts/confirm.js'
import { RENEW } from './scripts/renew.js'
import { byShard, shardAt, shardNumber } from './shard.js'
import { signOfLife } from './worker-row.js'

/** Messages a script's run: a run must not keep the server from others for long. */
const AT_ONCE = 250

/** One round trip: leases and acknowledgements by shard, and the worker's sign of life. */
export async function renewLeases(connection: Connection, app: string, batch: RenewBatch): Promise<RenewAnswer> {
  const groups = [...groupsOf(app, batch)]
  const requests = [
    ...groups.map((group) => renewRequest(app, group)),
    ...(batch.worker ? [signOfLife(app, batch.worker)] : []),
  ]
  if (requests.length === 0) return { leases: [], now: await timeOf(connection) }
  const replies = await connection.askAll(requests)
  const leases: RenewalAnswer[] = []
  for (const [n, { renewals }] of groups.entries()) {
    const [, ...answers] = fieldsOf(replies[n])
    for (const [i, { at }] of renewals.entries()) leases[at] = renewalAnswer(answers[i])
  }
  return { leases, now: Math.max(...replies.map((reply) => numberOf(Array.isArray(reply) ? reply[0] : reply))) }
}

interface Group {
  readonly number: number
  readonly renewals: readonly { readonly item: Renewal; readonly at: number }[]
  readonly acked: readonly MessageRef[]
}

function* groupsOf(app: string, { leases, acked }: RenewBatch): Generator<Group> {
  const renewals = byShard(leases, ({ key }) => shardNumber(app, key))
  const acks = byShard(acked, ({ key }) => shardNumber(app, key))
  for (const number of new Set([...renewals.keys(), ...acks.keys()])) {
    const ofShard = renewals.get(number) ?? []
    const ended = (acks.get(number) ?? []).map(({ item }) => item)
    for (let at = 0; at < Math.max(ofShard.length, ended.length); at += AT_ONCE) {
      yield { number, renewals: ofShard.slice(at, at + AT_ONCE), acked: ended.slice(at, at + AT_ONCE) }
    }
  }
}

function renewRequest(app: string, { number, renewals, acked }: Group): Request {
  return scriptOn(shardAt('lock', app, number), app, RENEW, [
    renewals.length,
    ...renewals.flatMap(({ item }) => [item.key, item.messageId, item.token, item.leaseMs]),
    ...acked.flatMap(refArguments),
  ])
}

/** One round trip: the engine has these messages. */
export async function confirmMessages(
  connection: Connection,
  app: string,
  messages: readonly MessageRef[],
): Promise<void> {
  const requests: Request[] = []
  for (const [number, group] of byShard(messages, ({ key }) => shardNumber(app, key))) {
    for (let at = 0; at < group.length; at += AT_ONCE) {
      const refs = group.slice(at, at + AT_ONCE).flatMap(({ item }) => refArguments(item))
      requests.push(scriptOn(shardAt('lock', app, number), app, CONFIRM, refs))
    }
  }
  await connection.askAll(requests)
}

/** The server's clock, epoch ms. */
export async function timeOf(connection: Connection): Promise<number> {
  const [seconds, micros] = fieldsOf(await connection.ask({ command: 'TIME', args: [] }))
  return numberOf(seconds) * 1_000 + Math.floor(numberOf(micros) / 1_000)
}
