import assert from 'node:assert/strict'
import { type FlowScene, PLACES, type Place, startScene } from '../support/flow-scene.js'
import { until } from '../support/until.js'

const SECRET = 'hunter2'

for (const [name, open] of Object.entries(PLACES)) {
  describe(`a worker on ${name}, asked and steered`, function () {
    this.timeout(120_000)
    let place: Place
    let scene: FlowScene
    before(async () => {
      place = await open()
      scene = await startScene({
        place,
        app: `control-${name}`,
        concurrency: 1,
        prepare: (app) => app.task('vault', { once: { keys: ['code'], redact: true } }, (_: { code: string }) => 0),
      })
    })
    after(async () => {
      await scene?.stop('cold')
      await place?.stop()
    })

    it('tells what runs, what it has in hand, and what waits for its time', async () => {
      const { app, flow } = scene
      const run = await flow.slow.applyAsync([{ n: 1, ms: 60_000 }], { id: `run-${name}` })
      await scene.started(run.id)
      const later = await flow.slow.applyAsync([{ n: 2, tag: '\u202e' }], { id: `later-${name}`, countdown: '1h' })
      const hidden = await app.sendTask('vault', [{ code: SECRET }], { id: `hidden-${name}`, countdown: '2h' })
      const { answers } = await app.control.inspect().active()
      const [active, ...others] = answers['w1'] ?? []
      assert.ok(active && others.length === 0)
      assert.deepEqual([active.id, active.args, active.attempt], [run.id, [{ n: 1, ms: 60_000 }], 1])
      assert.equal(active.pid, scene.bodies(run.id)[0]?.pid)
      assert.ok(active.runningMs >= 0 && Math.abs(Date.parse(active.since) - Date.now()) < 60_000)
      const scheduled = (await app.control.inspect().scheduled()).answers['w1']
      assert.deepEqual(
        scheduled?.map(({ id, args }) => [id, args]),
        [
          [later.id, [{ n: 2, tag: '\u202e' }]],
          [hidden.id, null],
        ],
      )
      assert.ok(Date.parse(scheduled?.[0]?.eta ?? '') > Date.now() + 3_000_000)
      assert.ok(!JSON.stringify(await app.control.inspect().scheduled()).includes(SECRET))
      const stats = (await app.control.inspect({ destination: ['w1'] }).stats()).answers['w1']
      assert.deepEqual([stats?.running, stats?.concurrency, stats?.queues], [1, 1, ['default']])
      assert.deepEqual(stats?.processes, [active.pid])
      for (const call of [run, later, hidden]) await app.revoke(call, { terminate: true })
      await assert.rejects(run.get({ timeout: '20s' }))
    })

    it('answers at once, once each, and says who did not', async () => {
      const { control } = scene.app
      assert.deepEqual(await control.ping(), {
        answers: { w1: 'pong' },
        omitted: {},
        failed: {},
        silent: [],
        absent: [],
      })
      const { answers, silent, absent } = await control.ping({ destination: ['w1', 'nobody', 'no\u202eone'] })
      assert.deepEqual([answers, silent, absent], [{ w1: 'pong' }, [], ['nobody', 'no\\u{202e}one']])
      assert.deepEqual((await control.inspect().registered()).answers['w1'], [...scene.app.tasks.keys()].sort())
      const refused = await control.shutdown()
      assert.match(refused.failed['w1'] ?? '', /the process that it is part of does not let it/)
      await assert.rejects(control.ping({ destination: [] }), /destination must name workers/)
      await assert.rejects(control.ping({ timeout: '1ms' }), /at least 100 ms/)
      await assert.rejects(control.grow(0), /grow takes a whole number/)
      await assert.rejects(control.addQueue('no queue'), /queue must be a name/)
    })

    it('grows and shrinks while it runs', async () => {
      const { app, flow } = scene
      assert.deepEqual((await app.control.grow(2)).answers, { w1: { concurrency: 3 } })
      const calls = await Promise.all([10, 11, 12].map((n) => flow.slow.delay({ n, ms: 60_000 })))
      for (const { id } of calls) await scene.started(id)
      assert.equal((await app.control.inspect().active()).answers['w1']?.length, 3)
      assert.deepEqual((await app.control.shrink(2)).answers, { w1: { concurrency: 1 } })
      assert.match((await app.control.shrink(1)).failed['w1'] ?? '', /it runs 1 at once: at least one must stay/)
      for (const call of calls) await app.revoke(call, { terminate: true })
      await scene.idle()
      const children = async () => (await app.control.inspect().stats()).answers['w1']?.processes.length
      await until(async () => (await children()) === 1, { what: 'one child' })
    })

    it('[P11] serves a queue more, and of a queue that it is told to leave finishes what it has taken', async () => {
      const { app, flow } = scene
      const inQueue = (n: number, work = {}) => flow.slow.applyAsync([{ n, ...work }], { queue: 'reports' })
      const early = await inQueue(20)
      assert.deepEqual((await app.control.addQueue('reports')).answers, { w1: { queues: ['default', 'reports'] } })
      assert.equal(await early.get({ timeout: '20s' }), 20)
      const taken = await inQueue(21, { told: true })
      await scene.started(taken.id)
      const left = await inQueue(22)
      assert.deepEqual((await app.control.cancelQueue('reports')).answers, {
        w1: { queues: ['default'], served: true },
      })
      assert.deepEqual((await app.control.cancelQueue('reports')).answers, {
        w1: { queues: ['default'], served: false },
      })
      scene.finish(taken.id)
      assert.equal(await taken.get({ timeout: '20s' }), 21)
      assert.equal(await (await flow.slow.delay({ n: 23 })).get({ timeout: '20s' }), 23, 'the other queue is served')
      assert.equal(await left.state(), 'PENDING')
      const { engine } = (await app.connection()).servers
      await until(async () => (await engine.counts('reports')).waiting === 1, { what: 'the message in its queue' })
      await app.control.addQueue('reports')
      assert.equal(await left.get({ timeout: '20s' }), 22)
      await app.control.cancelQueue('reports')
    })
  })
}
