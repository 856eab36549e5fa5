import assert from 'node:assert/strict'
import { startBeat } from '../../src/beat/beat.js'
import { App } from '../../src/index.js'

describe('startBeat', () => {
  it('leaves nothing running when a schedule of the user throws', async () => {
    const app = new App('beats', { broker: 'memory:' })
    const ping = app.task('ping', {}, () => 'pong')
    const next = (): never => {
      throw new Error('no such moon')
    }
    app.addPeriodicTask({ next, text: 'each full moon' }, ping.s())
    const before = await app.connection()
    await assert.rejects(startBeat({ app, name: 'b1' }), /no such moon/)
    assert.notEqual(await app.connection(), before)
    await app.close()
  })

  it('refuses an entry whose headers are no texts, by their path', async () => {
    const headers = { tenant: 7 } as never
    const entry = { task: 'headed', schedule: '1h', options: { headers } } as const
    const app = new App('headed-entries', { broker: 'memory:', beatSchedule: { rollup: entry } })
    app.task('headed', {}, () => {})
    await assert.rejects(
      startBeat({ app, name: 'b1' }),
      /beat entry 'rollup': call of 'headed': headers\["tenant"\] must be text, got a value of type number/,
    )
    await app.close()
  })
})
