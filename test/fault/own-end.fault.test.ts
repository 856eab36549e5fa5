import assert from 'node:assert/strict'
import { type Backend, onAll, startBackend } from '../support/backends.js'
import { processState } from '../support/body-log.js'
import type { Fleet, PublisherMember, WorkerMember } from '../support/fleet.js'
import type { OwnEnd } from '../support/own-end.js'
import { until } from '../support/until.js'

/** Of what a child died at the first start of a message, as its worker tells it. */
const DEATHS: Partial<Record<OwnEnd, RegExp>> = {
  exit: /^exit code 0$/,
  abort: /^SIGABRT/,
  reject: /^exit code 1: Error: nobody awaits this$/,
  throw: /^exit code 1: Error: nobody catches this$/,
  heap: /^SIGABRT: FATAL ERROR: .*heap out of memory/,
  brood: /^SIGKILL$/,
  daemon: /^SIGKILL$/,
}
/** These end at their first start. */
const ENDS: Readonly<
  Record<string, { readonly how: OwnEnd | 'spin'; readonly outcome: string; readonly code: string | null }>
> = {
  overflow: { how: 'overflow', outcome: 'failed', code: 'TASK_ERROR' },
  'endless loop': { how: 'spin', outcome: 'failed', code: 'TIME_LIMIT' },
  leave: { how: 'leave', outcome: 'ran', code: null },
  grow: { how: 'grow', outcome: 'ran', code: null },
}
const CHILDREN = 3
/** Of the parent too, which its children inherit it from. */
const SMALL = { NODE_OPTIONS: '--max-old-space-size=80', FAULT_RECYCLED: '1' }

describe('a task that ends its own process', function () {
  this.timeout(180_000)
  const backends: Backend[] = []
  before(async () => void backends.push(await startBackend('redis'), await startBackend('postgres')))
  after(() => Promise.all(backends.map((backend) => backend.remove())))

  it('[P10] [P12] [P13] runs again once, in another process, however it did it; its worker goes on by itself, also when idle children die', () =>
    onAll(
      backends,
      async (fleet) => {
        const worker = await fleet.worker('w1', { concurrency: CHILDREN, env: SMALL })
        const publisher = await fleet.publisher()
        const ways = Object.keys(DEATHS) as OwnEnd[]
        const calls = ways.map((how, n) => publisher.call({ work: { n, ms: 0, how } }))
        for (const [at, how] of ways.entries()) {
          const { id } = (await calls[at]) ?? assert.fail()
          const again = await fleet.seen({ id, event: 'end' })
          const [first, second, ...more] = startsOf(fleet, id)
          assert.deepEqual([first?.attempt, second?.attempt, more], [1, 2, []], how)
          assert.notEqual(first?.pid, again.pid)
          assert.match(await deathOf(worker, id), DEATHS[how] as RegExp)
          if (how === 'brood') assert.equal(processState(fleet.heir(id)), 'gone', 'before its message ran again')
          if (how === 'daemon') process.kill(fleet.heir(id), 'SIGKILL')
        }
        await whole(worker)
        await idleOnesDie(fleet, worker, publisher)
      },
      '15s',
    ))

  it('[P10] ends once where it only tried, and what it leaves or how much it grows goes with its child', () =>
    onAll(
      backends,
      async (fleet) => {
        const worker = await fleet.worker('w1', { concurrency: CHILDREN, env: SMALL })
        const publisher = await fleet.publisher()
        const limits = { softTimeLimit: '200ms', timeLimit: '600ms' } as const
        const calls = Object.entries(ENDS).map(async ([name, { how, outcome, code }], n) => {
          const work = { n, ms: how === 'spin' ? 600_000 : 0, how }
          const { id, key } = await publisher.call({ work, ...(how === 'spin' ? limits : {}) })
          const { store } = await fleet.app.connection()
          const end = await until(async () => (await store.find(id, key as never)).outcome, { what: `end of ${name}` })
          assert.deepEqual([end.outcome, end.code, startsOf(fleet, id).length], [outcome, code, 1], name)
          return id
        })
        const [, , left, grown] = await Promise.all(calls)
        assert.equal(processState(fleet.heir(left ?? '')), 'running')
        const { pid } = startsOf(fleet, grown ?? '')[0] ?? assert.fail()
        await until(() => !worker.children().includes(pid), { what: 'the grown child to be replaced' })
        await whole(worker)
      },
      '15s',
    ))
})

function startsOf(fleet: Fleet, id: string) {
  return fleet.lines(id).filter(({ event }) => event === 'start')
}

async function deathOf(worker: WorkerMember, id: string): Promise<string> {
  const crashes = () => worker.events.filter(({ name, event }) => name === 'run:crashed' && event['id'] === id)
  await until(() => crashes().length > 0, { what: `the crash of ${id} to be told` })
  assert.equal(crashes().length, 1)
  return String(crashes()[0]?.event['detail'])
}

/** The same worker, with as many children as before. */
async function whole(worker: WorkerMember): Promise<void> {
  await until(() => worker.children().length === CHILDREN, { what: 'all children to be there' })
  assert.ok(!worker.exited())
}

/** The next message runs once, in a new child. */
async function idleOnesDie(fleet: Fleet, worker: WorkerMember, publisher: PublisherMember): Promise<void> {
  const idle = worker.children()
  for (const pid of idle) fleet.kill(pid)
  const { id } = await publisher.call({ work: { n: 0, ms: 0 } })
  await fleet.seen({ id, event: 'end' })
  assert.equal(startsOf(fleet, id).length, 1)
  await whole(worker)
  assert.ok(worker.children().every((pid) => !idle.includes(pid)))
}
