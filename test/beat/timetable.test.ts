import assert from 'node:assert/strict'
import type { EntryRow } from '../../src/beat/schedule-store.js'
import { fireThrough, readTimetable, ruleReader } from '../../src/beat/timetable.js'
import { App, type Overlap, QueueOnce, type Schedule } from '../../src/index.js'

class Report extends QueueOnce {
  readonly name = 'report'
  readonly once = { keys: [], overlap: 'skip' } as const
  run(): void {}
}

/** What each slot in turn becomes while the first one's call holds the key. */
const DECIDED: readonly [Overlap, readonly string[]][] = [
  ['raise', ['published', 'skipped', 'skipped']],
  ['skip', ['published', 'skipped', 'skipped']],
  ['defer', ['published', 'deferred', 'coalesced']],
  ['queue', ['published', 'queued', 'refused']],
  ['replace', ['published', 'published', 'published']],
  ['allow', ['published', 'published', 'published']],
]

describe('a timetable slot', () => {
  it('[P16] without a lock is worthless at the next one; made up after that, it has as long from then on', async () => {
    const app = new App('slots', { broker: 'memory:', beatSchedule: { entry: { task: 'plain', schedule: '1h' } } })
    app.task('plain', {}, async () => undefined)
    const expiries: (number | null)[] = []
    const publish = app.publish.bind(app)
    app.publish = (message) => {
      expiries.push(message.expiresAt)
      return publish(message)
    }
    try {
      const [line] = readTimetable(app)
      assert.ok(line)
      const { now } = await app.connection()
      const hour = 3_600_000
      const current = Math.floor(now() / hour) * hour
      const asked = now()
      for (const nominal of [current - 5 * hour, current]) {
        const slot = { nominal, messageId: `b-${nominal}`, publishBefore: Number.POSITIVE_INFINITY }
        await fireThrough(app)(line.entry, slot)
      }
      const [late = 0, timely] = expiries
      assert.ok(late !== null && late >= asked + hour, 'it is to run')
      assert.equal(timely, current + hour)
    } finally {
      await (await app.connection()).store.destroy()
      await app.close()
    }
  })

  it('whose arguments never come is given up within seconds: its pass waits for it', async () => {
    const args = () => new Promise<never>(() => {})
    const app = new App('slots', {
      broker: 'memory:',
      beatSchedule: { stuck: { task: 'plain', schedule: '1h', args } },
    })
    app.task('plain', {}, async () => undefined)
    try {
      const [line] = readTimetable(app)
      assert.ok(line)
      const slot = { nominal: 60_000, messageId: 'b-stuck', publishBefore: Number.POSITIVE_INFINITY }
      await assert.rejects(fireThrough(app)(line.entry, slot), /'stuck': its arguments took longer than 5 s/)
    } finally {
      await (await app.connection()).store.destroy()
      await app.close()
    }
  })

  for (const [overlap, decisions] of DECIDED) {
    it(`[P14] under ${overlap} is ${[...new Set(decisions)].join(', then ')}, also when it is asked for again`, async () => {
      const once = overlap === 'queue' ? { overlap, maxParked: 1 } : { overlap }
      const app = new App('slots', {
        broker: 'memory:',
        beatSchedule: { entry: { task: 'report', schedule: '1m', once } },
      })
      app.register(Report)
      try {
        const [line] = readTimetable(app)
        assert.ok(line)
        const { entry } = line
        const decided: string[] = []
        const again: string[] = []
        for (const nominal of [60_000, 120_000, 180_000]) {
          const slot = { nominal, messageId: `b-${overlap}-${nominal}`, publishBefore: Number.POSITIVE_INFINITY }
          decided.push((await fireThrough(app)(entry, slot)).decision)
          // The next beat, after one that died before it wrote that down.
          again.push((await fireThrough(app)(entry, slot)).decision)
        }
        assert.deepEqual(again, decisions)
        assert.deepEqual(decided, decisions)
      } finally {
        await (await app.connection()).store.destroy()
        await app.close()
      }
    })
  }
})

describe('the old rule of a stored entry', () => {
  const next = (after: number) => after + 3_600_000
  const appWith = (schedule: Schedule) => {
    const app = new App('slots', { broker: 'memory:' })
    app.task('plain', {}, async () => undefined)
    app.addPeriodicTask(schedule, { task: 'plain', args: [] }, { name: 'own' })
    return app
  }
  const stored = (schedule: Schedule) => readTimetable(appWith(schedule))[0]?.put as unknown as EntryRow

  it('[P14] is the schedule in code that has its text: what is due by then can be decided', () => {
    const ruleOf = ruleReader(appWith({ next, text: 'after lunch' }))
    assert.equal(ruleOf(stored({ next, text: 'after lunch' }))?.schedule.next(5, 'UTC'), 3_600_005)
    assert.equal(ruleOf(stored({ next, text: 'before lunch' })), undefined)
  })

  it('is nobody’s where it has no text, since that may be any', () => {
    assert.equal(ruleReader(appWith({ next }))(stored({ next })), undefined)
  })
})
