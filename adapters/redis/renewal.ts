import type { MessageRef } from '../../src/lock/hold.js'
import type { Claim, RenewAnswer, Renewal, RenewalAnswer, RenewBatch } from '../../src/lock/renewal.js'
import { refArguments, scriptOn, termsArguments } from './argument.js'
import type { Connection, Request } from './connection.js'
import type { Epochs } from './epoch.js'
import { fieldsOf, numberOf, renewalAnswer } from './reply.js'
import { CLAIM } from './scripts/claim.js'
import { CONFIRM } from './scripts/confirm.js'
import { RENEW } from './scripts/renew.js'
import { byShard, shardAt, shardNumber } from './shard.js'
import { directoryShard, signOfLife } from './worker-row.js'

/** Messages a script's run: a run must not keep the server from others for long. */
const AT_ONCE = 250

/**
 * One round trip: leases and acknowledgements by shard, and the worker's sign of life. Another one where leases are gone
 * that the server may have lost with its data.
 */
export async function renewLeases(
  connection: Connection,
  epochs: Epochs,
  app: string,
  batch: RenewBatch,
): Promise<RenewAnswer> {
  await epochs.begin()
  const groups = [...groupsOf(app, batch)]
  const requests = [
    ...groups.map((group) => renewRequest(app, group)),
    ...(batch.worker ? [signOfLife(app, batch.worker)] : []),
  ]
  if (requests.length === 0) return { leases: [], now: await timeOf(connection, directoryShard(app).base) }
  const replies = await connection.askAll(requests)
  const leases: RenewalAnswer[] = []
  for (const [n, { renewals }] of groups.entries()) {
    const [, ...answers] = fieldsOf(replies[n])
    for (const [i, { at }] of renewals.entries()) leases[at] = renewalAnswer(answers[i])
  }
  const claimedAt = await claimLost({ connection, epochs, app }, batch.leases, leases)
  return {
    leases,
    now: Math.max(claimedAt, ...replies.map((reply) => numberOf(Array.isArray(reply) ? reply[0] : reply))),
  }
}

/** Puts what the server says of claims in the place of its first answers; answers when it said so, 0 where nothing was asked. */
async function claimLost(
  { connection, epochs, app }: { connection: Connection; epochs: Epochs; app: string },
  asked: readonly Renewal[],
  answers: RenewalAnswer[],
): Promise<number> {
  const gone = asked.flatMap((renewal, at) => {
    const answer = answers[at]
    return renewal.claim && answer?.outcome === 'lost' && answer.reason === 'ended' ? [{ renewal, at }] : []
  })
  const requests = gone.map(async ({ renewal }) => claimRequest(app, renewal, await claimEpoch(epochs, app, renewal)))
  const replies = await connection.askAll(await Promise.all(requests))
  let now = 0
  for (const [n, { at }] of gone.entries()) {
    const [claimedAt, answer] = fieldsOf(replies[n])
    answers[at] = renewalAnswer(answer)
    now = Math.max(now, numberOf(claimedAt))
  }
  return now
}

function claimEpoch(epochs: Epochs, app: string, { key, leaseMs, claim }: Renewal): ReturnType<Epochs['known']> {
  return epochs.known(shardNumber(app, key), leaseMs + (claim?.lockDelayMs ?? 0))
}

function claimRequest(app: string, renewal: Renewal, epoch: readonly [string, number]): Request {
  const { key, messageId, token, leaseMs, claim } = renewal
  const { round, terms, owner, worker, barrier, slot, lockDelayMs, deliveries, retries } = claim as Claim
  const run = [owner, worker, barrier, slot, leaseMs, lockDelayMs, token, deliveries, retries]
  const args = [...refArguments({ key, messageId, round }), ...termsArguments(terms), ...run, ...epoch]
  return scriptOn(shardAt('lock', app, shardNumber(app, key)), app, CLAIM, args)
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

/** The clock of the server that has this key, epoch ms. */
export async function timeOf(connection: Connection, at: string): Promise<number> {
  const [seconds, micros] = fieldsOf(await connection.ask({ command: 'TIME', args: [], at }))
  return numberOf(seconds) * 1_000 + Math.floor(numberOf(micros) / 1_000)
}
