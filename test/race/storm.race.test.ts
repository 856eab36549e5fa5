import assert from 'node:assert/strict'
import { type Backend, startBackend } from '../support/backends.js'
import { runWorkStorm, type WorkStormReport } from '../support/work-storm.js'

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const TASKS = 150

describe('short tasks whose processes are killed at random, their server and a worker among them', function () {
  this.timeout(300_000)
  const backends: Backend[] = []
  let played: PromiseSettledResult<WorkStormReport>[]
  before(async () => {
    backends.push(await startBackend('redis'), await startBackend('postgres'))
    played = await Promise.allSettled(backends.map((backend) => runWorkStorm({ backend, seed, tasks: TASKS })))
  })
  after(() => Promise.all(backends.map((backend) => backend.remove())))

  for (const [at, name] of ['redis', 'postgres'].entries()) {
    it(`[P2] [P10] [P11] [P13] end each exactly once, none is lost, on ${name} (SEED=${seed})`, () => {
      const storm = played[at] ?? assert.fail()
      if (storm.status === 'rejected') throw storm.reason
      const { violations, kills, calls, starts } = storm.value
      assert.deepEqual(violations, [])
      assert.ok(calls > TASKS / 2, `${calls} calls`)
      assert.ok(kills.child > 0 && kills.parent === 1 && kills.server === 1, JSON.stringify(kills))
      assert.ok(starts > calls, `${starts} starts: no task was struck while it ran`)
    })
  }
})
