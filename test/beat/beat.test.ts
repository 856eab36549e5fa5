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

  const wrong: readonly [field: string, once: object, sentence: RegExp][] = [
    ['overlap', { overlap: 'queu' }, /once\.overlap must be one of .*got "queu"; did you mean "queue"/],
    ['timeout', { timeout: '0s' }, /once\.timeout.* at least 1 s/],
    ['keep that belongs to another policy', { overlap: 'skip', keep: 'latest' }, /keep belongs to overlap 'defer'/],
    ['unknown option', { timeot: '1h' }, /once has no option 'timeot'; did you mean "timeout"/],
  ]
  for (const [field, once, sentence] of wrong) {
    it(`refuses the ${field} of an entry whose task is elsewhere: each of its slots would be an error`, () =>
      refuses({ task: 'elsewhere', once }, sentence))
  }

  it('refuses a task that nothing can be named', () => refuses({ task: '' }, /task must be a task name .*got ""/))
})

async function refuses(entry: { task: string; once?: object }, sentence: RegExp): Promise<void> {
  const beatSchedule = { rollup: { schedule: '1h', external: true, ...entry } } as const
  const start = async () => startBeat({ app: new App('refusing', { broker: 'memory:', beatSchedule }), name: 'b1' })
  await assert.rejects(start, (error: Error) => {
    assert.match(error.message, /beat entry 'rollup'/)
    return sentence.test(error.message)
  })
}
