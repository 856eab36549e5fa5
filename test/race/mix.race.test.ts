import assert from 'node:assert/strict'
import { type Backend, startBackend } from '../support/backends.js'
import { runMix } from '../support/mix.js'

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))

for (const name of ['redis', 'postgres'] as const) {
  describe(`workers and publishers under random faults, on ${name}`, function () {
    this.timeout(240_000)
    let backend: Backend
    before(async () => {
      backend = await startBackend(name)
    })
    after(() => backend.remove())

    it(`[P1] [P2] [P3] [P10] [P11] [P18] keep every promise (SEED=${seed})`, async () => {
      const report = await runMix({ backend, seed, ms: 10_000, bodies: 50, workers: 3, publishers: 3 })
      assert.deepEqual(report.violations, [], `SEED=${seed}`)
      assert.ok(report.starts > 50, `${report.starts} bodies`)
    })
  })
}
