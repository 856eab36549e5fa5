import assert from 'node:assert/strict'
import { PLACES, type Place, startScene } from '../support/flow-scene.js'
import { ranMs } from '../support/machine-time.js'
import { until } from '../support/until.js'

/** Promised are 200 ms, which `npm run bench` measures; a lease that had to run out would take 15 s. */
const SOON_MS = 2_000

for (const name of ['redis', 'postgres'] as const) {
  describe(`the key of a child that is killed, on ${name}`, function () {
    this.timeout(120_000)
    let place: Place
    before(async () => {
      place = await (PLACES[name] as () => Promise<Place>)()
    })
    after(() => place?.stop())

    it('[P8] is queued for its own message in the store long before its lease is over, and free once that is given up', async () => {
      const scene = await startScene({ place, app: `freed-${name}`, lease: '15s' })
      try {
        const { app, flow } = scene
        const { store } = await app.connection()
        const holder = async (key: string | null) => (await store.show(key as never))?.rows[0]

        const { id, key } = await flow.slow.delay({ n: 1, ms: 120_000 })
        await scene.started(id)
        const token = (await holder(key))?.token
        let sinceNs = process.hrtime.bigint()
        process.kill(scene.bodies(id)[0]?.pid ?? 0, 'SIGKILL')
        const passedOn = async () => {
          const row = await holder(key)
          return row?.holder === id && (row.stage === 'queued' || (row.token ?? 0) > (token ?? 0))
        }
        await until(passedOn, { everyMs: 2, what: 'its key to be queued' })
        assert.ok(ranMs(sinceNs) < SOON_MS, 'queued soon')

        const doomed = await flow.crashAlways.delay({ n: 2 })
        await until(() => scene.bodies(doomed.id).length === 3, { what: 'its last death' })
        sinceNs = process.hrtime.bigint()
        const isFree = async () => (await holder(doomed.key))?.stage === undefined
        await until(isFree, { what: 'its key to be free' })
        assert.ok(ranMs(sinceNs) < SOON_MS, 'free soon')
        assert.equal(await doomed.state(), 'FAILURE')
        await app.revoke(id, { terminate: true })
        await scene.idle()
      } finally {
        await scene.stop('cold')
      }
    })
  })
}
