import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { App, LockLost, SoftTimeLimitExceeded, Task, UsageError } from '../../src/index.js'
import type { BodyVerdict } from '../../src/task-base/body.js'
import { carriedError } from '../../src/task-base/carried-error.js'
import { messageText } from '../worker/fixture/body.js'

/** Runs the body of a task that takes one argument. */
function run(app: App, task: string, arg?: unknown, of: { signal?: AbortSignal; retries?: number } = {}) {
  return app.execute({
    message: messageText(task, arg === undefined ? [] : [arg]),
    token: null,
    space: { app: 'bodies' },
    deliveries: 1,
    retries: of.retries ?? 0,
    remainingMs: () => 1,
    signal: of.signal ?? new AbortController().signal,
  })
}

function whatWas({ end, ...rest }: BodyVerdict): unknown[] {
  const { code, error } = rest as { code?: string; error?: string | null }
  return [end, code, error ? carriedError(error).message : error]
}

describe('a body', () => {
  const app = new App('bodies', { broker: 'memory:' })
  after(() => app.close())

  it('fails with a result that no server should keep: written down again and again, it would hold its key', async () => {
    app.task('big', {}, (length: number) => 'x'.repeat(length))
    assert.equal((await run(app, 'big', 1_000_000)).end, 'returned')
    assert.deepEqual(whatWas(await run(app, 'big', 17_000_000)), [
      'threw',
      'BAD_RESULT',
      'the result takes 17000002 bytes, more than 16777216; store it and return its place.',
    ])
  })

  it('fails, and tells why, with a result that JSON cannot hold; its own rule does not run it again for that', async () => {
    const circle: { self?: unknown } = {}
    circle.self = circle
    const hostile = { toJSON: () => assert.fail('not for you') }
    const odd: Record<string, unknown> = { circle, hostile, big: { n: 1n }, function: () => 1, symbol: Symbol('x') }
    app.task('odd', { autoretryFor: [Error] }, (which: string) => odd[which])
    for (const [which, says] of [
      ['circle', /^the result cannot be written as JSON: Converting circular structure.*; return what JSON can hold/s],
      ['hostile', /^the result cannot be written as JSON: not for you; /],
      ['big', /^the result cannot be written as JSON: Do not know how to serialize a BigInt; /],
      ['function', /^the result is a function, which JSON cannot hold; /],
      ['symbol', /^the result is a symbol, which JSON cannot hold; /],
    ] as const) {
      const [end, code, message] = whatWas(await run(app, 'odd', which))
      assert.deepEqual([end, code], ['threw', 'BAD_RESULT'])
      assert.match(String(message), says)
    }
    assert.deepEqual(await run(app, 'odd', 'absent'), { end: 'returned', result: null })
  })

  it('whose result is ignored may return anything, and nothing of it is kept', async () => {
    app.task('silent', { ignoreResult: true }, (length: number) => 'x'.repeat(length))
    assert.deepEqual(await run(app, 'silent', 17_000_000), { end: 'returned', result: null })
    const asked = { ...JSON.parse(messageText('silent', [1])), ignoreResult: false }
    const request = {
      token: null,
      space: { app: 'bodies' },
      deliveries: 1,
      retries: 0,
      remainingMs: () => 1,
      signal: new AbortController().signal,
    }
    assert.deepEqual(await app.execute({ ...request, message: JSON.stringify(asked) }), {
      end: 'returned',
      result: '"x"',
    })
  })

  it('that lets the error of its soft limit pass ran into the limit; one that fails otherwise meanwhile has failed', async () => {
    const signal = AbortSignal.abort(new SoftTimeLimitExceeded(40))
    app.task('rethrows', {}, function () {
      this.request.signal.throwIfAborted()
    })
    app.task('sleeps', {}, function () {
      return sleep(10_000, undefined, { signal: this.request.signal })
    })
    app.task('fails', {}, () => assert.fail('on its own'))
    app.task('cleans.up', {}, () => 'saved')
    for (const task of ['rethrows', 'sleeps']) {
      assert.deepEqual(whatWas(await run(app, task, undefined, { signal })).slice(0, 2), ['threw', 'SOFT_TIME_LIMIT'])
    }
    assert.deepEqual(await run(app, 'cleans.up', undefined, { signal }), { end: 'returned', result: '"saved"' })
    assert.deepEqual(whatWas(await run(app, 'fails', undefined, { signal })), ['threw', undefined, 'on its own'])
    const loud = Object.defineProperty(new Error('its own'), 'cause', { get: () => assert.fail('of the getter') })
    app.task('loud', {}, () => Promise.reject(loud))
    assert.deepEqual(whatWas(await run(app, 'loud', undefined, { signal })), ['threw', undefined, 'its own'])
  })

  it('that throws what its task is tried again for is, as late as its rule says, unless it was told to stop', async () => {
    class Flaky extends Task {
      readonly name = 'flaky'
      override readonly autoretryFor = [RangeError]
      override readonly retryBackoff = '100ms'
      override readonly retryJitter = false
      run(how: string): never {
        if (how === 'asks') this.retry({ cause: new Error('asked') })
        if (how === 'asks both') this.retry({ countdown: 1, eta: new Date() })
        if (how === 'at') this.retry({ eta: new Date(Date.now() + 3_600_000) })
        throw how === 'range' ? new RangeError('flaky') : new TypeError('broken')
      }
    }
    app.register(Flaky)
    const delays = [0, 1, 5].map(async (retries) => {
      const verdict = await run(app, 'flaky', 'range', { retries })
      return verdict.end === 'retry' && verdict.countdownMs
    })
    assert.deepEqual(await Promise.all(delays), [100, 200, 3_200])
    assert.deepEqual(whatWas(await run(app, 'flaky', 'range')), ['retry', undefined, 'flaky'])
    assert.deepEqual(whatWas(await run(app, 'flaky', 'broken')), ['threw', undefined, 'broken'])
    const asked = await run(app, 'flaky', 'asks', { retries: 2 })
    assert.ok(asked.end === 'retry' && asked.countdownMs === 400, 'asked for without a time it waits by the same rule')
    const later = await run(app, 'flaky', 'at')
    assert.ok(later.end === 'retry' && later.countdownMs > 3_500_000)
    assert.match(String(whatWas(await run(app, 'flaky', 'asks both'))[2]), /both countdown and eta/)
    const stopped = AbortSignal.abort(new LockLost('cancelled'))
    assert.equal((await run(app, 'flaky', 'range', { signal: stopped })).end, 'threw')
  })
})

describe('a function’s task', () => {
  it('takes the fields of a class, and no others', () => {
    const app = new App('functions', { broker: 'memory:' })
    app.task(
      'all',
      { maxRetries: Number.POSITIVE_INFINITY, acksLate: false, timeLimit: '1m', softTimeLimit: 30 },
      () => 1,
    )
    const { maxRetries, acksLate, timeLimitMs, softTimeLimitMs } = app.tasks.get('all') ?? assert.fail()
    assert.deepEqual(
      [maxRetries, acksLate, timeLimitMs, softTimeLimitMs],
      [Number.MAX_SAFE_INTEGER, false, 60_000, 30_000],
    )
    for (const [options, says] of [
      [{ timeLimt: 1 }, /task 'x' has no option 'timeLimt'; did you mean "timeLimit"/],
      [{ softTimeLimit: '1m', timeLimit: '30s' }, /softTimeLimit of 60000 ms is never reached before the timeLimit/],
      [{ acksLate: 'no' }, /acksLate must be true or false/],
      [{ ignoreResult: 1 }, /ignoreResult must be true or false/],
      [{ resultExpires: '10ms' }, /resultExpires.*at least 1 s/],
      [{ queue: 'a b' }, /queue must be a name/],
    ] as const) {
      assert.throws(
        () => app.task('x', options as object, () => 1),
        (error) => error instanceof UsageError && says.test(error.message),
      )
    }
  })
})
