import { appendFileSync, existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { App, QueueOnce, Task } from '../../src/index.js'
import { finishFile } from './flow-env.js'

// A mistake that only the children meet, which load this later.
if (process.env['FLOW_TYPO']) throw new Error(process.env['FLOW_TYPO'])

/** The app of the flow tests, loaded by the test, by workers and by their children alike; named and placed by the environment. */
export const app = new App(process.env['FLOW_APP'] ?? 'flow', {
  broker: process.env['FLOW_BROKER'] ?? 'memory:',
  locks: { lease: process.env['FLOW_LEASE'] === '15s' ? '15s' : '5s' },
})

export interface BodyLine {
  readonly task: string
  readonly key: string | null
  readonly token: number | null
  readonly id: string
  readonly attempt: number
  readonly event: 'start' | 'end'
  readonly ns: string
  readonly pid: number
}

interface Work {
  readonly n: number
  readonly ms?: number
  /** Lasts longer than that, until the test has written `finishFile`. */
  readonly told?: true
  readonly tag?: string
}

abstract class Logged extends QueueOnce {
  abstract work(work: Work): unknown

  async run(work: Work): Promise<unknown> {
    this.#log('start')
    try {
      return await this.work(work)
    } finally {
      this.#log('end')
    }
  }

  protected async lasts({ ms = 0, told }: Work): Promise<void> {
    const { id, signal } = this.request
    await sleep(ms, undefined, { signal })
    const finish = finishFile(process.env['FLOW_LOG'] ?? '', id)
    while (told && !existsSync(finish)) await sleep(10, undefined, { signal })
  }

  #log(event: BodyLine['event']): void {
    const { id, attempt, lock } = this.request
    const line = { task: this.name, key: lock?.key ?? null, token: lock?.token ?? null, id, attempt, event }
    const whole = { ...line, ns: String(process.hrtime.bigint()), pid: process.pid }
    appendFileSync(process.env['FLOW_LOG'] ?? '/dev/null', `${JSON.stringify(whole)}\n`)
  }
}

class Slow extends Logged {
  readonly name = 'slow'
  readonly once = { keys: ['n'], overlap: 'skip' } as const
  async work(work: Work): Promise<number> {
    await this.lasts(work)
    return work.n
  }
}

class CrashOnce extends Logged {
  readonly name = 'crash.once'
  readonly once = { keys: ['n'], overlap: 'skip' } as const
  async work(work: Work): Promise<number> {
    if (this.request.attempt === 1) process.kill(process.pid, 'SIGKILL')
    await this.lasts(work)
    return work.n
  }
}

class CrashAlways extends Logged {
  readonly name = 'crash.always'
  readonly once = { keys: ['n'], overlap: 'skip' } as const
  work(): void {
    process.kill(process.pid, 'SIGKILL')
  }
}

/** Kills its process until somebody has mended what was wrong. */
class CrashUntilMended extends Logged {
  readonly name = 'crash.until.mended'
  readonly once = { keys: ['n'], overlap: 'skip' } as const
  work({ n }: Work): number {
    if (!existsSync(`${process.env['FLOW_LOG']}.mended`)) process.kill(process.pid, 'SIGKILL')
    return n
  }
}

class RetryTwice extends Logged {
  readonly name = 'retry.twice'
  readonly once = { keys: ['n'], overlap: 'skip' } as const
  /** The second countdown is short. */
  work({ n, ms = 0 }: Work): number {
    const { attempt } = this.request
    if (attempt <= 2) this.retry({ countdown: `${attempt === 1 ? ms : 10}ms`, cause: new Error('not yet') })
    return n
  }
}

class Spin extends Logged {
  readonly name = 'spin'
  readonly once = { keys: ['n'], overlap: 'skip' } as const
  readonly timeLimit = '2s'
  work(): never {
    for (;;);
  }
}

class Fail extends Logged {
  readonly name = 'fail'
  readonly once = { keys: ['n'], overlap: 'skip' } as const
  work(): never {
    throw new RangeError('as it must')
  }
}

/** Calls of one `n` share a key; each gives its own tag back. */
abstract class Tagged extends Logged {
  async work(work: Work): Promise<string> {
    await this.lasts(work)
    return work.tag ?? ''
  }
}

class Tag extends Tagged {
  readonly name = 'tag'
  readonly once = { keys: ['n'], overlap: 'skip' } as const
}

class Pair extends Tagged {
  readonly name = 'pair'
  readonly once = { keys: ['n'], overlap: 'skip', limit: 2 } as const
}

class UntilExecuting extends Tagged {
  readonly name = 'until.executing'
  readonly once = { keys: ['n'], overlap: 'skip', unlockBeforeRun: true } as const
}

class WhileExecuting extends Tagged {
  readonly name = 'while.executing'
  readonly once = { keys: ['n'], overlap: 'skip', mode: 'whileExecuting' } as const
}

class UntilAndWhileExecuting extends Tagged {
  readonly name = 'until.and.while.executing'
  readonly once = { keys: ['n'], overlap: 'skip', mode: 'untilAndWhileExecuting' } as const
}

class UntilExpired extends Tagged {
  readonly name = 'until.expired'
  readonly once = { keys: ['n'], overlap: 'skip', mode: 'untilExpired', timeout: '4s' } as const
}

class Plain extends Task {
  readonly name = 'plain'
  run(x: unknown): unknown {
    return x
  }
}

/** Asks to run again once, then gives back what it was told beside its arguments. */
class Headed extends Logged {
  readonly name = 'headed'
  readonly once = { keys: [], overlap: 'queue' } as const
  async work(work: Work): Promise<unknown> {
    await this.lasts(work)
    if (this.request.attempt === 1) this.retry({ countdown: '200ms' })
    return this.request.headers
  }
}

class Publisher extends Task {
  readonly name = 'publisher'
  async run(n: number): Promise<string> {
    const result = await slow.delay({ n })
    return result.outcome
  }
}

let met = 0

/** Ends once two runs are under way at once, hence in two processes; tells what each of them knows of the other. */
class Meet extends Task {
  readonly name = 'meet'
  async run(): Promise<{ met: number; shared: unknown; first: boolean }> {
    met += 1
    const first = await app.shared.compareAndSet('meet.first', undefined, this.request.id, { ttl: '1m' })
    await app.shared.increment('meet.count')
    while (((await app.shared.get<number>('meet.count')) ?? 0) < 2) await sleep(20)
    return { met, shared: await app.shared.get('meet.count'), first }
  }
}

export const slow = app.register(Slow)
export const crashOnce = app.register(CrashOnce)
export const crashAlways = app.register(CrashAlways)
export const crashUntilMended = app.register(CrashUntilMended)
export const retryTwice = app.register(RetryTwice)
export const spin = app.register(Spin)
export const fail = app.register(Fail)
export const tag = app.register(Tag)
export const pair = app.register(Pair)
export const untilExecuting = app.register(UntilExecuting)
export const whileExecuting = app.register(WhileExecuting)
export const untilAndWhileExecuting = app.register(UntilAndWhileExecuting)
export const untilExpired = app.register(UntilExpired)
export const plain = app.register(Plain)
export const headed = app.register(Headed)
export const publisher = app.register(Publisher)
export const meet = app.register(Meet)
