import assert from 'node:assert/strict'
import { App, type CallOptions, Task, UsageError } from '../../src/index.js'

/** Where the call of a task goes. */
async function placeOf(app: App, task: string, options: CallOptions = {}): Promise<[queue: string, priority: unknown]> {
  const message = await app.message(await app.targetOf(task), [7], options)
  return [message.queue, message.priority]
}

describe('a call goes', () => {
  class Report extends Task {
    readonly name = 'reports.daily'
    override readonly queue = 'reports'
    override readonly priority = 3
    run(): void {}
  }

  const app = new App('routed', {
    broker: 'memory:',
    routes: {
      'reports.*': 'slow',
      'mail.*.now': { queue: 'mail', priority: 0 },
      'mail.*': { queue: 'mail' },
      'mail.bulk': 'bulk',
      '*': { priority: 9 },
    },
  })
  app.register(Report)
  app.task('mail.a.now', {}, () => {})
  app.task('mail.bulk', {}, () => {})
  app.task('mailing', {}, () => {})

  after(() => app.close())

  it('where it says itself, else its task, else the routes, else to default', async () => {
    assert.deepEqual(await placeOf(app, 'reports.daily', { queue: 'now', priority: 1 }), ['now', 1])
    assert.deepEqual(await placeOf(app, 'reports.daily'), ['reports', 3])
    assert.deepEqual(await placeOf(app, 'reports.of.others'), ['slow', null], 'known by its name only')
    assert.deepEqual(await placeOf(app, 'mailing'), ['default', 9])
    assert.deepEqual(await placeOf(app, 'mailing', { priority: 0 }), ['default', 0])
  })

  it('by the route of its very name, else by the first pattern that fits', async () => {
    assert.deepEqual(await placeOf(app, 'mail.bulk'), ['bulk', null])
    assert.deepEqual(await placeOf(app, 'mail.a.now'), ['mail', 0])
    assert.deepEqual(await placeOf(app, 'mail.a.later'), ['mail', null])
    assert.deepEqual(await placeOf(app, 'xmail.a'), ['default', 9], 'a pattern is of the whole name')
  })

  it('where a function of its name and arguments says', async () => {
    const sharded = new App('sharded', {
      broker: 'memory:',
      routes: (task, [n]) =>
        task === 'bad' ? ('no queue' as never) : task === 'shard' ? `s${Number(n) % 2}` : undefined,
    })
    assert.deepEqual(await placeOf(sharded, 'shard'), ['s1', null])
    assert.deepEqual(await placeOf(sharded, 'other'), ['default', null])
    await assert.rejects(placeOf(sharded, 'bad'), /routes of 'bad': queue must be a name such as 'reports'/)
    await sharded.close()
  })

  for (const [what, routes, says] of [
    ['an array', [] as never, /routes must be an object such as/],
    ['a pattern that is none', { 'a b': 'x' }, /'a b' is no task's name/],
    ['a bad queue', { a: 'x y' }, /routes\['a'\]: queue must be/],
    ['an unknown field', { a: { queu: 'x' } as never }, /has no 'queu'; did you mean "queue"/],
    ['a bad priority', { a: { priority: -1 } }, /priority must be a whole number/],
  ] as const) {
    it(`nowhere: ${what} is refused when the app is made`, () => {
      assert.throws(
        () => new App('x', { routes }),
        (error) => error instanceof UsageError && says.test(error.message),
      )
    })
  }
})
