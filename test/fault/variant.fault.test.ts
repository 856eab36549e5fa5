import assert from 'node:assert/strict'
import pg from 'pg'
import { type Backend, startBackend } from '../support/backends.js'
import { processState } from '../support/body-log.js'
import { type Fleet, startFleet, type WorkerMember } from '../support/fleet.js'
import { losingJobLock } from '../support/job-lock.js'
import { until } from '../support/until.js'
import { RELEASE_AND_POP, type Variant } from '../support/variant.js'

/** A history that a sound lock gets through, and one broken in this way does not. */
interface Scene {
  readonly variant: Variant | 'one-statement release-and-pop'
  readonly on: Backend['name']
  readonly limit?: number
  /** What the checker says of the broken lock. */
  readonly caught: RegExp
  /** Sets up what is broken, if anything is. */
  readonly play: (fleet: Fleet, backend: Backend, variant: Variant | undefined) => Promise<void>
}

const stopped = (pid: number): Promise<boolean> => until(() => processState(pid) === 'stopped', { what: 'the trap' })
const told = ({ events }: WorkerMember, event: string): boolean => events.some(({ name }) => name === event)
const starts = (fleet: Fleet, id: string): number => fleet.lines(id).filter(({ event }) => event === 'start').length

const SCENES: readonly Scene[] = [
  {
    variant: 'renewal in the task’s loop',
    on: 'redis',
    // The second run begins while the first one spins, or, on a busy machine, when that has just ended.
    caught: /began beside those of|ran to its end under token \d+ and again under \d+/,
    async play(fleet, _, variant) {
      await fleet.worker('w1', { concurrency: 1, variant })
      const publisher = await fleet.publisher()
      const { id } = await publisher.call({ work: { n: 1, ms: 12_000, thenMs: 100, how: 'spin' } })
      await fleet.seen({ id, event: 'tick' })
      await fleet.worker('w2', { concurrency: 1 })
      await fleet.seen({ id, event: 'end', attempt: 1 })
    },
  },
  {
    variant: 'release without owner',
    on: 'redis',
    caught: /ran beside/,
    async play(fleet, _, variant) {
      const first = await fleet.worker('w1', {
        concurrency: 1,
        variant,
        trap: { at: 'release', when: 'before', do: 'stop' },
      })
      const publisher = await fleet.publisher()
      const { id } = await publisher.call({ work: { n: 1, ms: 50, how: 'deaf', toldFrom: 2 } })
      await stopped(first.pid)
      const paused = fleet.pause([first.pid])
      await fleet.worker('w2')
      await fleet.seen({ id, event: 'tick', attempt: 2 })
      const parked = await publisher.call({ work: { n: 1, ms: 50 }, overlap: 'defer' })
      assert.equal(parked.outcome, 'parked')
      paused.wake()
      await until(() => told(first, 'lock:stale') || starts(fleet, parked.id) > 0, { what: 'the late release' })
      fleet.finish(id)
      await fleet.seen({ id: parked.id, event: 'end' })
    },
  },
  {
    variant: 'counter permits',
    on: 'redis',
    limit: 2,
    caught: /ran beside \d+, \d+$/m,
    async play(fleet, _, variant) {
      const worker = await fleet.worker('w1', { concurrency: 3, variant })
      const publisher = await fleet.publisher({ variant })
      const { id } = await publisher.call({ work: { n: 1, ms: 0 } })
      const ended = (): boolean => worker.events.some(({ name, event }) => name === 'run:ended' && event['id'] === id)
      await until(ended, { what: 'the end of the first run, told once more where its reply was lost' })
      const work = { n: 1, ms: 50, toldFrom: 1 }
      const calls = [await publisher.call({ work }), await publisher.call({ work }), await publisher.call({ work })]
      const run = calls.filter(({ outcome }) => outcome === 'published')
      for (const call of run) await fleet.seen({ id: call.id, event: 'tick' })
      for (const call of run) fleet.finish(call.id)
      for (const call of run) await fleet.seen({ id: call.id, event: 'end' })
    },
  },
  {
    variant: 're-entry by message id',
    on: 'redis',
    caught: /token (\d+) began after token \1$/m,
    async play(fleet, backend, variant) {
      const workers = [
        await fleet.worker('w1', { concurrency: 1, variant }),
        await fleet.worker('w2', { concurrency: 1, variant }),
      ]
      const publisher = await fleet.publisher()
      const { id } = await publisher.call({ work: { n: 1, ms: 50, toldFrom: 1 } })
      await fleet.seen({ id, event: 'tick' })
      const putBack = (): boolean => workers.some((worker) => told(worker, 'run:putBack'))
      const answered = (): boolean => starts(fleet, id) > 1 || putBack()
      await losingJobLock(backend, { app: fleet.app.name, id }, async (lose) => {
        await until(async () => (await lose()) ?? answered(), { everyMs: 100, what: 'the redelivery' })
      })
      fleet.finish(id)
      await fleet.seen({ id, event: 'end' })
    },
  },
  {
    variant: 'trust measured from the reply',
    on: 'redis',
    caught: /began beside those of/,
    async play(fleet, _, variant) {
      const first = await fleet.worker('w1', {
        concurrency: 1,
        variant,
        trap: { at: 'run', when: 'after', do: 'stop' },
      })
      const publisher = await fleet.publisher()
      const { id } = await publisher.call({ work: { n: 1, ms: 50, toldFrom: 1 } })
      await stopped(first.pid)
      const paused = fleet.pause([first.pid])
      await fleet.worker('w2', { concurrency: 1 })
      await fleet.seen({ id, event: 'tick', attempt: 2 })
      paused.wake()
      const refused = (): boolean => told(first, 'run:lost') || told(first, 'lock:stale')
      await until(() => refused() || starts(fleet, id) > 1, { what: 'the late start' })
      fleet.finish(id)
      await fleet.seen({ id, event: 'end', attempt: 2 })
    },
  },
  {
    variant: 'no outcome kept',
    on: 'redis',
    caught: /ran to its end under token \d+ and again under \d+/,
    async play(fleet, _, variant) {
      const first = await fleet.worker('w1', {
        concurrency: 1,
        variant,
        trap: { at: 'release', when: 'after', do: 'die' },
      })
      const publisher = await fleet.publisher()
      const { id } = await publisher.call({ work: { n: 1, ms: 50 } })
      await until(() => first.exited(), { what: 'the trap' })
      const second = await fleet.worker('w2', { concurrency: 1 })
      const answered = (): boolean => starts(fleet, id) > 1 || told(second, 'run:duplicate')
      await until(answered, { what: 'the redelivery' })
    },
  },
  {
    variant: 'one-statement release-and-pop',
    on: 'postgres',
    caught: /parked call .* has no recorded end/,
    async play(fleet, { url }) {
      const worker = await fleet.worker('w1', {
        concurrency: 1,
        trap: { at: 'release', when: 'before', do: 'stop' },
      })
      const publisher = await fleet.publisher()
      const { key } = await publisher.call({ work: { n: 1, ms: 50 } })
      await stopped(worker.pid)
      const paused = fleet.pause([worker.pid])
      const client = new pg.Client(url)
      await client.connect()
      const waiting = async (): Promise<number> =>
        (await client.query('select from pg_locks where not granted')).rows.length
      try {
        // The call that is to be parked has locked the key, and waits here for the fate of a row of its own name.
        await client.query('begin')
        await client.query(
          `insert into beatlock.lock_call overriding user value
            select (jsonb_populate_record(c, '{ "message_id": "parked", "token": null }')).* from beatlock.lock_call c where key = $1`,
          [key],
        )
        const parked = publisher.call({ work: { n: 1, ms: 50 }, overlap: 'defer', id: 'parked' })
        await until(async () => (await waiting()) > 0, { what: 'the call' })
        paused.wake()
        await until(async () => (await waiting()) > 1, { what: 'the release' })
        await client.query('rollback')
        assert.equal((await parked).outcome, 'parked')
      } finally {
        await client.end()
      }
    },
  },
]

describe('the checker, as the fault tests use it', function () {
  this.timeout(120_000)
  const backends = new Map<string, Backend>()
  before(async () => {
    for (const name of ['redis', 'postgres'] as const) backends.set(name, await startBackend(name))
  })
  after(() => Promise.all([...backends.values()].map((backend) => backend.remove())))

  /** What the checker finds. Most of a scene is waiting for leases, so all are played at once. */
  const played = new Map<string, Promise<string[]>>()
  const playAll = (how: 'sound' | 'broken'): void => {
    for (const scene of SCENES) {
      const found = playOn(scene, backends.get(scene.on) as Backend, how)
      found.catch(() => undefined)
      played.set(`${how} ${scene.variant}`, found)
    }
  }

  describe('finds nothing wrong with the lock as it is, where one breaks by', () => {
    before(() => playAll('sound'))
    for (const { variant } of SCENES) {
      it(variant, async () => assert.deepEqual(await played.get(`sound ${variant}`), []))
    }
  })

  describe('catches', () => {
    before(() => playAll('broken'))
    for (const { variant, caught } of SCENES) {
      it(variant, async () => assert.match((await played.get(`broken ${variant}`))?.join('\n') ?? '', caught))
    }
  })
})

async function playOn(scene: Scene, backend: Backend, how: 'sound' | 'broken'): Promise<string[]> {
  const broken = how === 'broken'
  const inStatement = scene.variant === 'one-statement release-and-pop'
  const fleet = startFleet({ url: backend.url, limit: scene.limit ?? 1 })
  try {
    if (broken && inStatement) await replaceRelease(fleet, backend)
    await scene.play(fleet, backend, broken && !inStatement ? (scene.variant as Variant) : undefined)
    return await fleet.check({ withinMs: broken ? 5_000 : 40_000 })
  } finally {
    await fleet.end()
  }
}

/** The sound function stays replaced: this is the last scene on that server. */
async function replaceRelease(fleet: Fleet, { url }: Backend): Promise<void> {
  // Connecting sets the schema up.
  await fleet.app.connection()
  const client = new pg.Client(url)
  await client.connect()
  await client.query(RELEASE_AND_POP).finally(() => client.end())
}
