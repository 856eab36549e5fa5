import { randomUUID } from 'node:crypto'
import type { GuardDefinition } from '../../src/lock/guard-definition.js'
import type { LockKey } from '../../src/lock/key.js'
import type { LockStore } from '../../src/lock/lock-store.js'
import type { ListQuery, LockRow, LockView, MessageView } from '../../src/lock/lock-view.js'
import type { AcquireRequest, RequeueStep, RunAnswer, RunStep } from '../../src/lock/message-step.js'
import { MISSING_MS } from '../../src/lock/record.js'
import type { RevokeAnswer, RevokeRequest } from '../../src/lock/revoke.js'
import { refArguments, scriptOn, termsArguments } from './argument.js'
import { redisCommands } from './commands.js'
import type { Connection, RedisOptions, Request } from './connection.js'
import { redisCounters } from './counters.js'
import { redisDeadLetters } from './dead-letters.js'
import { Epochs, UNATTENDED } from './epoch.js'
import { forgetApp } from './forget.js'
import { openFormat } from './format.js'
import { listLocks } from './listing.js'
import { Notices } from './notices.js'
import { confirmMessages, renewLeases, timeOf } from './renewal.js'
import { untilReplicated } from './replicated.js'
import {
  acquireAnswer,
  clearAnswer,
  eventOf,
  fieldsOf,
  messageView,
  numberOf,
  outcomeOf,
  releaseAnswer,
  requeueAnswer,
  resolveAnswer,
  revokeAnswer,
  rowsOf,
  runAnswer,
} from './reply.js'
import type { Script } from './script.js'
import { ACQUIRE } from './scripts/acquire.js'
import { CLEAR } from './scripts/clear.js'
import { RELEASE } from './scripts/release.js'
import { REOPEN } from './scripts/reopen.js'
import { REQUEUE } from './scripts/requeue.js'
import { RESOLVE } from './scripts/resolve.js'
import { REVOKE } from './scripts/revoke.js'
import { RUN } from './scripts/run.js'
import { FIND, SHOW } from './scripts/view.js'
import { allShards, shardAt, shardOf } from './shard.js'
import { redisShared } from './shared.js'
import { sweepShards } from './sweep.js'
import { appsOf, attendanceOf, directoryShard, leaving, workerRows } from './worker-row.js'

/**
 * Locks on Redis ≥ 6.2 or Valkey: each transition is one script on the key's shard, over one connection.
 *
 * @throws StoreUnavailable if the server does not answer within 2 s; UsageError for wrong credentials, a server that
 * is too old, one that evicts locks, or data that a newer version stored and does not share.
 */
export async function openLockStore(options: RedisOptions): Promise<LockStore> {
  const connection = await openFormat(options, 'lock')
  return lockStoreOn(connection, options, new Notices(options, () => connection.nodes))
}

function lockStoreOn(connection: Connection, { app, waitReplicas }: RedisOptions, notices: Notices): LockStore {
  const on = (key: LockKey, script: Script, args: readonly (string | number | null)[]): Promise<unknown> =>
    connection.ask(scriptOn(shardOf('lock', app, key), app, script, args))
  const epochs = new Epochs(connection, app)
  /** A step that a loss of data bears on. */
  const attending = async (
    key: LockKey,
    script: Script,
    args: readonly (string | number | null)[],
    graceMs?: number,
  ): Promise<unknown> => {
    const known = epochs.known(shardOf('lock', app, key).number, graceMs)
    return on(key, script, [...args, ...(known instanceof Promise ? await known : known)])
  }
  const replicated = async (generation: number, shard: number): Promise<void> => {
    const marker = `${shardAt('lock', app, shard).base}replicated`
    if (waitReplicas) await untilReplicated({ connection, generation, wait: waitReplicas, marker })
  }
  const run = async (step: RunStep): Promise<RunAnswer> => {
    const { generation } = connection
    const reply = await attending(step.key, RUN, runArguments(step), step.leaseMs + step.lockDelayMs)
    const answer = runAnswer(step.key, reply)
    if (answer.outcome !== 'granted') return answer
    try {
      await replicated(generation, shardOf('lock', app, step.key).number)
      return answer
    } catch (error) {
      // No body will run: the start was none. Where that is lost as well, the lease runs out.
      await on(step.key, REQUEUE, requeueArguments(unstarted(step, answer.token))).catch(() => undefined)
      throw error
    }
  }
  return {
    space: { app },
    now: () => timeOf(connection, directoryShard(app).base),
    acquire: async (request) => acquireAnswer(request.key, await on(request.key, ACQUIRE, acquireArguments(request))),
    confirm: (messages) => confirmMessages(connection, app, messages),
    advance: (async (step: RunStep | RequeueStep) =>
      step.to === 'running'
        ? run(step)
        : requeueAnswer(step.key, await on(step.key, REQUEUE, requeueArguments(step)))) as LockStore['advance'],
    renew: async (batch) => {
      const { generation } = connection
      const answer = await renewLeases(connection, epochs, app, batch)
      if (answer.leases.some(({ outcome }) => outcome === 'renewed')) await replicated(generation, 0)
      return answer
    },
    release: async (request) => {
      const { key, token, outcome, code, result, error, publishLeaseMs, resultMs } = request
      const args = [...refArguments(request), token, outcome, code, result, error, publishLeaseMs, resultMs]
      return releaseAnswer(
        key,
        token === null ? await on(key, RELEASE, [...args, ...UNATTENDED]) : await attending(key, RELEASE, args),
      )
    },
    sweep: (options) => sweepShards(connection, epochs, app, options),
    resolve: async ({ doubt, state, maxDeliveries, missingMs = MISSING_MS, publishLeaseMs, resultMs }) => {
      const args = [...refArguments(doubt), doubt.stage, doubt.token, state, maxDeliveries, publishLeaseMs, resultMs]
      return resolveAnswer(doubt.key, await attending(doubt.key, RESOLVE, [...args, missingMs, randomUUID()]))
    },
    list: (query) => listApps(connection, app, query),
    show: async (key) => lockView({ app, key }, await on(key, SHOW, [key])),
    clear: async ({ key, parked, running, by, publishLeaseMs, resultMs }) => {
      const args = [key, parked ? 1 : 0, running, by, publishLeaseMs, resultMs, randomUUID()]
      return clearAnswer(key, await attending(key, CLEAR, args))
    },
    revoke: (request) => revokeMessage(connection, app, request),
    find: (messageId, key) => findMessage(connection, app, { messageId, key }),
    reopen: async (ref) => void (await on(ref.key, REOPEN, refArguments(ref))),
    workers: async ({ allApps }) => workerRows(connection, allApps ? await appsOf(connection) : [app]),
    attendance: () => attendanceOf(connection, app),
    leave: async (worker) => void (await connection.ask(leaving(app, worker))),
    listen: (topic, look) => notices.listen(topic, look),
    define: async (definitions) => void (await connection.askAll(definitionRequests(app, definitions))),
    definition: async (task) => {
      const text = await connection.ask({ command: 'HGET', args: [definitionsName(app), task] })
      return text === null ? null : (JSON.parse(String(text)) as GuardDefinition)
    },
    dead: redisDeadLetters(connection, app),
    commands: redisCommands(connection, app),
    counts: redisCounters(connection, app),
    shared: redisShared(connection, app),
    destroy: async () => {
      await forgetApp(connection, app, 'lock')
      epochs.forget()
    },
    close: async () => {
      await notices.close()
      await connection.close()
    },
  }
}

function acquireArguments(request: AcquireRequest): (string | number | null)[] {
  const { terms, whenHeld, publishLeaseMs, message, resultMs } = request
  const parking = whenHeld.do === 'park' ? [whenHeld.capacity, whenHeld.keep] : [0, null]
  const minRunMs = whenHeld.do === 'replace' ? whenHeld.minRunMs : 0
  const policy = [whenHeld.do, ...parking, minRunMs]
  // Only a call that may have to wait is kept in the record.
  const kept = whenHeld.do === 'refuse' ? null : message
  return [...refArguments(request), ...termsArguments(terms), ...policy, publishLeaseMs, kept, resultMs]
}

function runArguments(step: RunStep): (string | number | null)[] {
  const { terms, owner, worker, barrier, slot, leaseMs, lockDelayMs, maxDeliveries, publishedAt } = step
  const attempt = [owner, worker, barrier, slot, leaseMs, lockDelayMs, maxDeliveries, publishedAt]
  return [
    ...refArguments(step),
    ...termsArguments(terms),
    ...attempt,
    step.whenHeld,
    step.minRunMs,
    step.publishLeaseMs,
    step.resultMs,
  ]
}

function unstarted(step: RunStep, token: number): RequeueStep {
  const { key, messageId, round, maxDeliveries, publishLeaseMs, resultMs } = step
  const ref = { key, messageId, round, token }
  return { ...ref, to: 'queued', reason: 'unstarted', delayMs: 0, maxDeliveries, publishLeaseMs, resultMs }
}

function requeueArguments(step: RequeueStep): (string | number | null)[] {
  const { token, reason, delayMs, maxDeliveries, publishLeaseMs, resultMs } = step
  return [...refArguments(step), token, reason, delayMs, maxDeliveries, publishLeaseMs, resultMs]
}

async function* listApps(connection: Connection, app: string, query: ListQuery): AsyncGenerator<LockRow> {
  for (const each of query.allApps ? await appsOf(connection) : [app]) yield* listLocks(connection, each, query)
}

function lockView({ app, key }: { app: string; key: LockKey }, reply: unknown): LockView | null {
  const [at, holders, calls, ended, events] = fieldsOf(reply)
  const now = numberOf(at)
  const parked = fieldsOf(calls).map((call) => {
    const [id, since, expiresAt] = fieldsOf(call)
    return { id: String(id), since: numberOf(since), expiresAt: expiresAt === null ? null : numberOf(expiresAt) }
  })
  const rows = rowsOf({ app, key, parked: parked.length, now }, holders)
  const outcomes = fieldsOf(ended).map(outcomeOf)
  const history = fieldsOf(events).map(eventOf)
  const known = rows.length + parked.length + outcomes.length + history.length
  return known === 0 ? null : { rows, parked, outcomes, history, now }
}

/** Without its key a message may be in any shard: all are asked at once. */
async function findMessage(
  connection: Connection,
  app: string,
  { messageId, key }: { messageId: string; key: LockKey | null },
): Promise<MessageView> {
  const shards = key === null ? allShards('lock', app) : [shardOf('lock', app, key)]
  const replies = await connection.askAll(shards.map((shard) => scriptOn(shard, app, FIND, [messageId, key])))
  const views = replies.map((reply) => messageView(key, reply))
  const known = views.find((view) => view.hold || view.parked || view.outcome) ?? views.find((view) => view.key)
  return known ?? (views[0] as MessageView)
}

/**
 * Without its key the shard that noted the message acts; the others know nothing of it. One that knows only of a round
 * that was followed by another acts once no other shard has that one.
 */
async function revokeMessage(connection: Connection, app: string, request: RevokeRequest): Promise<RevokeAnswer> {
  const { key, messageId, round, terminate, by, publishLeaseMs, resultMs } = request
  const shards = key === null ? allShards('lock', app) : [shardOf('lock', app, key)]
  const args = [key, messageId, round, terminate ? 1 : 0, by, publishLeaseMs, resultMs]
  const replies = await connection.askAll(shards.map((shard) => scriptOn(shard, app, REVOKE, args)))
  const answers = replies.map(revokeAnswer)
  const known = answers.find((answer) => answer.outcome !== 'unknown')
  const reopened = replies.map((reply) => fieldsOf(reply)[2]).find((found) => typeof found === 'string')
  if (known || reopened === undefined) return known ?? (answers[0] as RevokeAnswer)
  return revokeMessage(connection, app, { ...request, key: reopened as LockKey })
}

function definitionsName(app: string): string {
  return `${directoryShard(app).base}definitions`
}

function definitionRequests(app: string, definitions: Readonly<Record<string, GuardDefinition | null>>): Request[] {
  const told = Object.entries(definitions)
  const pairs = told.flatMap(([task, each]) => (each ? [task, JSON.stringify(each)] : []))
  const gone = told.flatMap(([task, each]) => (each ? [] : [task]))
  const name = definitionsName(app)
  return [
    ...(pairs.length === 0 ? [] : [{ command: 'HSET', args: [name, ...pairs] }]),
    ...(gone.length === 0 ? [] : [{ command: 'HDEL', args: [name, ...gone] }]),
  ]
}
