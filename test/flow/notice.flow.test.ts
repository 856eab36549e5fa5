import assert from 'node:assert/strict'
import { App, type Result } from '../../src/index.js'
import { PLACES, type Place, startScene } from '../support/flow-scene.js'
import { ranMs } from '../support/machine-time.js'
import { until } from '../support/until.js'

/** So many in a row cannot all happen to look at the right moment: by looking alone, twice a second, they take 4 s. */
const MANY = 16
const MANY_TAKE_MS = 2_500

for (const [name, startServer] of Object.entries(PLACES)) {
  describe(`notices, on ${name}`, function () {
    this.timeout(120_000)
    let server: Place
    before(async () => {
      server = await startServer()
    })
    after(() => server?.stop())

    it('[P7] a run hears that it is to stop within a second, its lease of 15 s notwithstanding', () =>
      working('15s', 'heard', async ({ stopOne }) => {
        // Found by a renewal, two in a row would be a third of the lease apart.
        for (let n = 0; n < 3; n += 1) assert.ok((await stopOne(n)) < 1_000)
      }))

    it('[P7] a run hears that it is to stop at its next renewal, all notices lost', () =>
      working('5s', 'lost', async ({ stopOne }) => {
        for (let n = 0; n < 2; n += 1) assert.ok((await stopOne(n)) < 5_000)
      }))

    it('[P19] one release wakes one waiter, at once', () =>
      using('heard', async (app) => {
        const woken = countLooks(app)
        const { open, runs } = await lineUp(app, MANY)
        woken.clear()
        const openedNs = process.hrtime.bigint()
        open()
        await Promise.all(runs)
        assert.ok(ranMs(openedNs) < MANY_TAKE_MS)
        const looks = [...woken].filter(([topic]) => topic.startsWith('message:')).map(([, count]) => count)
        // Its turn, and on some stores its own end while it still listens.
        assert.ok(looks.length === MANY && looks.every((count) => count <= 2), String(looks))
      }))

    it('[P19] every waiter has its turn within its wait, all notices lost', () =>
      using('lost', async (app) => {
        const { open, runs } = await lineUp(app, 3)
        open()
        await Promise.all(runs)
      }))

    it('a result is known at once', () =>
      using('heard', async (app) => {
        const { results, gets } = await manyGets(app, MANY)
        const startedNs = process.hrtime.bigint()
        for (const [n, result] of results.entries()) {
          await app.revoke(result)
          await gets[n]
        }
        assert.ok(ranMs(startedNs) < MANY_TAKE_MS)
      }))

    it('a result is known a little later, all notices lost', () =>
      using('lost', async (app) => {
        const { results, gets } = await manyGets(app, 2)
        for (const result of results) await app.revoke(result)
        await Promise.all(gets)
      }))

    let apps = 0

    async function using(notices: 'heard' | 'lost', body: (app: App) => Promise<void>): Promise<void> {
      const app = new App(`notice-${++apps}`, { broker: server.url, locks: { lease: '5s' } })
      try {
        if (notices === 'lost') await loseNotices(app)
        await body(app)
      } finally {
        await app.close()
      }
    }

    async function working(
      lease: '15s' | '5s',
      notices: 'heard' | 'lost',
      body: (of: { stopOne(n: number): Promise<number> }) => Promise<void>,
    ): Promise<void> {
      const prepare = async (app: App) => notices === 'lost' && loseNotices(app)
      const scene = await startScene({ place: server, app: `notice-${name}-${++apps}`, concurrency: 1, lease, prepare })
      const stopOne = async (n: number): Promise<number> => {
        const { id, key } = await scene.flow.slow.delay({ n, ms: 30_000 })
        const ended = () => scene.bodies(id).some(({ event }) => event === 'end')
        await scene.started(id)
        await scene.app.locks.clear(key ?? '', { force: true })
        const clearedNs = process.hrtime.bigint()
        await until(ended, { what: 'the body to end' })
        return ranMs(clearedNs)
      }
      try {
        await body({ stopOne })
      } finally {
        await scene.stop('cold')
      }
    }
  })
}

/** As where a server allows no channels, or a pooler is in between. */
async function loseNotices(app: App): Promise<void> {
  const { store } = await app.connection()
  store.listen = () => () => undefined
}

/** How often each topic's listeners were called. */
function countLooks(app: App): Map<string, number> {
  const counts = new Map<string, number>()
  void app.connection().then(({ store }) => {
    const listen = store.listen.bind(store)
    store.listen = (topic, look) =>
      listen(topic, () => {
        counts.set(topic, (counts.get(topic) ?? 0) + 1)
        look()
      })
  })
  return counts
}

/** Runs in line behind one that ends when `open` is called, for long enough that each looks only twice a second. */
async function lineUp(app: App, many: number): Promise<{ open: () => void; runs: Promise<unknown>[] }> {
  let open = (): void => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  const parked = async (): Promise<number> => (await app.locks.list().next()).value?.parked ?? -1
  const runs = [app.locks.run('line', {}, () => opened)]
  await until(async () => (await parked()) === 0)
  for (let n = 0; n < many; n += 1) {
    const mustRun = async () => assert.ok((await app.locks.run('line', { wait: '30s' }, () => undefined)).ran)
    runs.push(mustRun() as never)
  }
  await until(async () => (await parked()) === many)
  await longEnough()
  return { open, runs }
}

/** Calls that nobody delivers, and a wait for the end of each. */
async function manyGets(app: App, many: number): Promise<{ results: Result<unknown>[]; gets: Promise<void>[] }> {
  const later = app.task('later', { once: { overlap: 'skip' } }, (_: number) => undefined)
  const results = await Promise.all(Array.from({ length: many }, (_, n) => later.applyAsync([n], { countdown: '1h' })))
  const gets = results.map((result) => assert.rejects(result.get({ timeout: '30s' }), { code: 'REVOKED' }))
  await longEnough()
  return { results, gets }
}

/** Whoever waits for as long as this looks no more often than it ever will. */
async function longEnough(): Promise<void> {
  const at = performance.now() + 2_000
  await until(() => performance.now() > at)
}
