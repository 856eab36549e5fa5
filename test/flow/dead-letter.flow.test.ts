import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { type App, type Result, StoreUnavailable, TaskFailed } from '../../src/index.js'
import type { DeadLetterStore } from '../../src/lock/dead-letter.js'
import { type FlowApp, type FlowScene, PLACES, type Place, startScene } from '../support/flow-scene.js'
import { until } from '../support/until.js'

const WAIT = { timeout: '30s' } as const

for (const [name, startServer] of Object.entries(PLACES)) {
  describe(`dead letters from death to a second life, on ${name}`, function () {
    this.timeout(120_000)
    let server: Place
    let scene: FlowScene
    let app: App
    let flow: FlowApp

    before(async () => {
      server = await startServer()
      scene = await startScene({ place: server, app: `dead-${name}`, concurrency: 2 })
      app = scene.app
      flow = scene.flow
    })

    beforeEach(() => rmSync(mended(), { force: true }))

    after(async () => {
      await scene?.stop()
      await server?.stop()
    })

    const mended = (): string => `${scene.log}.mended`
    const mend = (): void => writeFileSync(mended(), '')
    const starts = (id: string): number => scene.bodies(id).filter(({ event }) => event === 'start').length
    const letterOf = (id: string) => app.deadLetters.show(id)
    const givenUp = async (n: number): Promise<Result<number>> => {
      const result = (await flow.crashUntilMended.delay({ n, tag: 'ü \u0000' })) as Result<number>
      await assert.rejects(
        result.get(WAIT),
        ({ code, message }: TaskFailed) => code === 'MAX_DELIVERIES' && /its process died each time/.test(message),
      )
      await until(() => letterOf(result.id), { what: 'the dead letter' })
      return result
    }
    /** Lets one step on the server fail once, as when its process dies right before it. */
    const failOnce = async (step: 'bury' | 'remove'): Promise<void> => {
      const dead = (await app.connection()).store.dead as { -readonly [K in keyof DeadLetterStore]: DeadLetterStore[K] }
      const kept = dead[step]
      dead[step] = async () => {
        dead[step] = kept as never
        throw new StoreUnavailable('a server', 'cut off by the test')
      }
    }

    it('[P10] what was started three times without an end is kept whole, listed, and runs when it is queued again', async () => {
      const result = await givenUp(1)
      assert.equal(starts(result.id), 3)
      const [letter] = await app.deadLetters.list()
      const { id, task, label, code, round } = letter ?? assert.fail('no letter')
      assert.deepEqual([id, task, code, round], [result.id, 'crash.until.mended', 'MAX_DELIVERIES', 0])
      assert.equal(label, 'crash.until.mended n=1')
      assert.deepEqual((await letterOf(id))?.args, [{ n: 1, tag: 'ü \u0000' }])
      mend()
      assert.deepEqual(await app.deadLetters.requeue(id), { outcome: 'published', round: 1 })
      assert.equal(await result.get(WAIT), 1)
      assert.equal(await letterOf(id), null)
      assert.deepEqual(await app.deadLetters.requeue(id), { outcome: 'unknown' })
    })

    it('[P12] queued again it passes the guard: refused where its key is held, it stays', async () => {
      const result = await givenUp(2)
      const holder = await flow.crashUntilMended.applyAsync([{ n: 2 }], { countdown: '1h' })
      const refused = await app.deadLetters.requeue(result.id)
      assert.ok(refused.outcome === 'refused')
      assert.equal(refused.holder.id, holder.id)
      assert.equal((await letterOf(result.id))?.round, 0)
      await app.revoke(holder)
      mend()
      assert.equal((await app.deadLetters.requeue(result.id)).outcome, 'published')
      assert.equal(await result.get(WAIT), 2)
    })

    it('given up once more, it is one letter, of the later round', async () => {
      const result = await givenUp(3)
      assert.deepEqual(await app.deadLetters.requeue(result.id), { outcome: 'published', round: 1 })
      await until(async () => (await letterOf(result.id))?.round === 1, { what: 'the second death' })
      assert.equal(starts(result.id), 6)
      assert.equal((await app.deadLetters.list()).filter(({ id }) => id === result.id).length, 1)
      assert.ok(await app.deadLetters.discard(result.id))
      assert.equal(await app.deadLetters.discard(result.id), false)
    })

    it('[P10] a worker that dies between giving up and burying leaves it to the redelivery', async () => {
      await failOnce('bury')
      const result = await givenUp(4)
      assert.equal(starts(result.id), 3)
      assert.deepEqual((await letterOf(result.id))?.args, [{ n: 4, tag: 'ü \u0000' }])
      await app.deadLetters.discard(result.id)
    })

    it('[P13] queued again by one that died before it could remove the letter, and then by two: one body', async () => {
      const result = await givenUp(5)
      mend()
      await failOnce('remove')
      await assert.rejects(app.deadLetters.requeue(result.id), StoreUnavailable)
      await result.get(WAIT)
      assert.equal((await letterOf(result.id))?.round, 0, 'the letter is still there')
      for (const answer of await Promise.all([1, 2].map(() => app.deadLetters.requeue(result.id)))) {
        assert.ok(answer.outcome === 'unknown' || (answer.outcome === 'finished' && answer.ended === 'ran'))
      }
      assert.equal(await letterOf(result.id), null)
      assert.equal(starts(result.id), 4)
    })

    it('[P13] queued again by two at once: one body', async () => {
      const result = await givenUp(6)
      mend()
      const answers = await Promise.all([1, 2].map(() => app.deadLetters.requeue(result.id)))
      assert.ok(answers.some(({ outcome }) => outcome === 'published'))
      assert.equal(await result.get(WAIT), 6)
      await until(async () => (await app.locks.list().next()).done, { what: 'no lock to be left' })
      assert.equal(starts(result.id), 4)
    })

    it('a message that no worker knows is kept too, a task that threw is not', async () => {
      const unknown = await app.sendTask('nobody.knows', [1], { countdown: '300ms', expires: '100ms' })
      await assert.rejects(unknown.get(WAIT), (error: TaskFailed) => error.code === 'UNKNOWN_TASK')
      const failed = await flow.fail.delay({ n: 7 })
      await assert.rejects(failed.get(WAIT), TaskFailed)
      await until(() => letterOf(unknown.id), { what: 'the dead letter' })
      assert.deepEqual(
        (await app.deadLetters.list()).map(({ id }) => id),
        [unknown.id],
      )
      await app.deadLetters.discard(unknown.id)
    })
  })
}
