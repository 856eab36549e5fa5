import assert from 'node:assert/strict'
import { type Backend, onAll, startBackend } from '../support/backends.js'
import type { Fleet } from '../support/fleet.js'
import { until } from '../support/until.js'

describe('a call that is taken back, or comes too late', function () {
  this.timeout(120_000)
  const backends: Backend[] = []
  before(async () => void backends.push(await startBackend('redis'), await startBackend('postgres')))
  after(() => Promise.all(backends.map((backend) => backend.remove())))

  const ended = (fleet: Fleet, id: string) => async (): Promise<string | undefined> =>
    (await fleet.endings()).get(id)?.outcome

  it('[P10] [P18] before its run: it never runs, its end is recorded, and who waited behind it has his turn', () =>
    onAll(backends, async (fleet) => {
      const publisher = await fleet.publisher()
      const work = (n: number) => ({ n, ms: 50 })
      const queued = await publisher.call({ work: work(1) })
      const behindQueued = await publisher.call({ work: work(1), overlap: 'defer' })
      const first = await publisher.call({ work: work(2) })
      const parked = await publisher.call({ work: work(2), overlap: 'defer' })
      const worthless = await publisher.call({ work: work(3), expires: '300ms' })
      const behindWorthless = await publisher.call({ work: work(3), overlap: 'defer' })

      assert.equal((await fleet.app.revoke(queued.id)).outcome, 'revoked')
      assert.equal((await fleet.app.revoke(parked.id)).outcome, 'revoked')
      await until(() => process.hrtime.bigint() - worthless.askedNs > 400_000_000n)
      await fleet.worker('w1')
      for (const { id } of [behindQueued, first, behindWorthless]) await fleet.seen({ id, event: 'end', attempt: 1 })
      for (const [{ id }, outcome] of [
        [queued, 'revoked'],
        [parked, 'revoked'],
        [worthless, 'expired'],
      ] as const) {
        await until(async () => (await ended(fleet, id)()) === outcome, { what: `${id} to be ${outcome}` })
        assert.deepEqual(fleet.lines(id), [])
      }
    }))

  it('[P7] [P10] while it runs: it is told, then killed, is not delivered again, and its key goes on', () =>
    onAll(backends, async (fleet) => {
      await fleet.worker('w1')
      await fleet.worker('w2')
      const publisher = await fleet.publisher()
      const heeds = await publisher.call({ work: { n: 1, ms: 20_000 } })
      const deaf = await publisher.call({ work: { n: 2, ms: 20_000, how: 'deaf' } })
      const next = [
        await publisher.call({ work: { n: 1, ms: 50 }, overlap: 'defer' }),
        await publisher.call({ work: { n: 2, ms: 50 }, overlap: 'defer' }),
      ]
      await fleet.seen({ id: heeds.id, event: 'tick' })
      await fleet.seen({ id: deaf.id, event: 'tick' })
      for (const { id } of [heeds, deaf]) {
        assert.equal((await fleet.app.revoke(id)).outcome, 'running', 'it is left alone unless it is to be stopped')
        assert.equal((await fleet.app.revoke(id, { terminate: true })).outcome, 'cancelled')
      }
      for (const { id } of next) await fleet.seen({ id, event: 'end', attempt: 1 })
      assert.equal(fleet.lines(heeds.id).at(-1)?.event, 'stop')
      assert.equal(fleet.lines(deaf.id).at(-1)?.event, 'tick')
      for (const { id } of [heeds, deaf]) {
        assert.equal(await ended(fleet, id)(), 'revoked')
        assert.equal(fleet.lines(id).filter(({ event }) => event === 'start').length, 1)
      }
    }))
})
