import { App, currentRequest, QueueOnce, Task } from '../../src/index.js'

/** Compiled, never run: what the compiler must accept and refuse. */
type Feed = { feedId: number; full?: boolean }

class RefreshFeed extends QueueOnce {
  readonly name = 'feeds.refresh'
  readonly defaults = { full: false }
  readonly once = { keys: ['feedId'], timeout: '1h', overlap: 'skip' } as const
  async run(feed: Feed): Promise<number> {
    this.request.signal.throwIfAborted()
    return feed.feedId
  }
}

class Report extends QueueOnce {
  readonly name = 'report'
  readonly params = ['day', 'force'] as const
  readonly once = { keys: ['day'], timeout: 60 } as const
  run(day: string, force = false): string {
    return force ? `${day}!` : day
  }
}

class Plain extends Task {
  readonly name = 'plain'
  run(): void {}
}

class BadKey extends QueueOnce {
  readonly name = 'bad.key'
  readonly once = { keys: ['feedID'] } as const
  run(feed: Feed): number {
    return feed.feedId
  }
}

class BadOption extends QueueOnce {
  readonly name = 'bad.option'
  readonly once = { keys: [], timeoutt: '1h' } as const
  run(): void {}
}

class BadOverlap extends QueueOnce {
  readonly name = 'bad.overlap'
  // @ts-expect-error: 'jump' is no overlap policy.
  readonly once = { overlap: 'jump' } as const
  run(): void {}
}

class Fetch extends QueueOnce {
  readonly name = 'fetch'
  override readonly autoretryFor = [TypeError, 'ECONNRESET']
  override readonly retryBackoff = '2s'
  override readonly maxRetries = Number.POSITIVE_INFINITY
  override readonly timeLimit = 30
  override readonly softTimeLimit = '20s'
  override readonly acksLate = false
  override readonly queue = 'web'
  run(url: string): string {
    if (url === '') this.retry({ eta: new Date(), cause: new Error('later') })
    return url
  }
}

class BadBackoff extends QueueOnce {
  readonly name = 'bad.backoff'
  // @ts-expect-error: a duration needs a unit.
  override readonly retryBackoff = 'soon'
  run(): void {}
}

export async function accepted(): Promise<void> {
  const app = new App('shop', { broker: 'memory:' })
  const refresh = app.register(RefreshFeed)
  const result = await refresh.delay({ feedId: 7 })
  const value: number = await result.get({ timeout: '30s' })
  const report = app.register(Report)
  const day: string = await (
    await report.applyAsync(['2026-01-01', true], { countdown: '5m', once: { overlap: 'defer' } })
  ).get()
  app.register(Plain)
  app.register(BadOverlap)
  const fetched: string = await (
    await app.register(Fetch).applyAsync([''], { timeLimit: '5s', softTimeLimit: 4, resultExpires: '1h', priority: 0 })
  ).get()
  new App('routed', { routes: { 'mail.*': 'mail', fetch: { queue: 'web', priority: 3 } } })
  new App('sharded', { routes: (task, [n]) => (task === 'shard' ? `s${String(n)}` : undefined) })
  app.task(
    'bounded',
    { timeLimit: '5m', maxRetries: 1, defaults: { n: 1 }, ignoreResult: true },
    (_: { n?: number }) => {},
  )
  const ping = app.task('ping', { once: { keys: ['host'] } }, async (target: { host: string }) => {
    currentRequest().signal.throwIfAborted()
    return target.host
  })
  const host: string = await (await ping.delay({ host: 'a' })).get()
  app.addPeriodicTask('5m', refresh.s({ feedId: 7 }), { name: 'refresh-7', once: { overlap: 'defer' } })
  void [value, day, host, fetched]
}

export async function refused(): Promise<void> {
  const app = new App('shop')
  // @ts-expect-error: once.keys names 'feedID', run() has 'feedId'.
  app.register(BadKey)
  // @ts-expect-error: once has no option 'timeoutt'.
  app.register(BadOption)
  const refresh = app.register(RefreshFeed)
  // @ts-expect-error: feedId is a number.
  await refresh.delay({ feedId: '7' })
  // @ts-expect-error: there is one argument.
  await refresh.delay({ feedId: 7 }, 1)
  // @ts-expect-error: the result is a number.
  const text: string = await (await refresh.delay({ feedId: 7 })).get()
  // @ts-expect-error: a duration needs a unit.
  await refresh.applyAsync([{ feedId: 7 }], { countdown: 'soon' })
  // @ts-expect-error: its back-off is no duration.
  app.register(BadBackoff)
  // @ts-expect-error: a call has no option 'timeLimt'.
  await refresh.applyAsync([{ feedId: 7 }], { timeLimt: '5s' })
  // @ts-expect-error: a function's task has no option 'timeLimt'.
  app.task('late', { timeLimt: '5s' }, () => {})
  // @ts-expect-error: a route has no 'queu'.
  new App('x', { routes: { a: { queu: 'x' } } })
  // @ts-expect-error: 'hostname' is no argument.
  app.task('ping', { once: { keys: ['hostname'] } }, (target: { host: string }) => target.host)
  // @ts-expect-error: the app has no option 'brokr'.
  new App('x', { brokr: 'memory:' })
  void text
}
