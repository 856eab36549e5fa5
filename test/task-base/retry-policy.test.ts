import assert from 'node:assert/strict'
import fc from 'fast-check'
import { BeatlockError, SoftTimeLimitExceeded, UsageError } from '../../src/index.js'
import { type RetryPolicy, readRetryPolicy, retriesAfter, retryDelayMs } from '../../src/task-base/retry-policy.js'

const ms = fc.integer({ min: 1, max: 86_400_000 })
const retries = fc.nat({ max: 5_000 })
/** 0 … 1, its ends included. */
const random = fc.double({ min: 0, max: 1, noNaN: true })

function backingOff(factorMs: number, maxMs: number, jitter: boolean): RetryPolicy {
  return { autoretryFor: [], dontAutoretryFor: [], delayMs: 180_000, backoff: { factorMs, maxMs, jitter } }
}

describe('how late a retry comes', () => {
  it('is Celery’s arithmetic: one, two, four … seconds, at most ten minutes', () => {
    const policy = readRetryPolicy('t', { retryBackoff: true, retryJitter: false })
    const delays = [0, 1, 2, 3, 9, 10, 2_000].map((before) => retryDelayMs(policy, before, 0.5) / 1_000)
    assert.deepEqual(delays, [1, 2, 4, 8, 512, 600, 600])
    const slow = readRetryPolicy('t', { retryBackoff: 5, retryBackoffMax: '15s', retryJitter: false })
    assert.deepEqual(
      [0, 1, 2].map((before) => retryDelayMs(slow, before, 0)),
      [5_000, 10_000, 15_000],
    )
    assert.equal(retryDelayMs(readRetryPolicy('t', {}), 7, 0.5), 180_000)
    assert.equal(retryDelayMs(readRetryPolicy('t', { defaultRetryDelay: '2s' }), 7, 0.5), 2_000)
  })

  it('never shrinks from one attempt to the next, nor exceeds its maximum, whatever the numbers', () => {
    fc.assert(
      fc.property(ms, ms, retries, random, (factorMs, maxMs, before, any) => {
        const policy = backingOff(factorMs, maxMs, false)
        const delay = retryDelayMs(policy, before, any)
        assert.ok(Number.isSafeInteger(delay) && delay <= maxMs)
        assert.ok(delay >= Math.min(factorMs, maxMs), 'not less than the first')
        const next = retryDelayMs(policy, before + 1, any)
        assert.equal(next, Math.min(maxMs, delay * 2), 'the next is twice as long, or the longest')
      }),
    )
  })

  it('is with jitter any share of that, from nothing to the whole', () => {
    fc.assert(
      fc.property(ms, ms, retries, random, random, (factorMs, maxMs, before, one, other) => {
        const [low, high] = one < other ? [one, other] : [other, one]
        const whole = retryDelayMs(backingOff(factorMs, maxMs, false), before, 0)
        const jittered = (share: number) => retryDelayMs(backingOff(factorMs, maxMs, true), before, share)
        assert.deepEqual([jittered(0), jittered(1)], [0, whole])
        assert.ok(jittered(low) <= jittered(high))
      }),
    )
  })
})

describe('which errors are tried again', () => {
  class Down extends Error {}
  class DownForGood extends Down {}
  const again = (fields: Parameters<typeof readRetryPolicy>[1]) => {
    const policy = readRetryPolicy('t', fields)
    return (thrown: unknown) => retriesAfter(policy, thrown)
  }

  it('those of a class and of its heirs, by class, name or code', () => {
    const byClass = again({ autoretryFor: [Down] })
    assert.deepEqual([new Down(), new DownForGood(), new Error(), 'Down', undefined].map(byClass), [
      true,
      true,
      false,
      false,
      false,
    ])
    const byName = again({ autoretryFor: ['Down', 'ECONNRESET', 'TimeoutError'] })
    const reset = Object.assign(new Error('reset'), { code: 'ECONNRESET' })
    const named = Object.assign(new Error('late'), { name: 'TimeoutError' })
    assert.deepEqual([new DownForGood(), reset, named, new TypeError(), null].map(byName), [
      true,
      true,
      true,
      false,
      false,
    ])
    assert.ok(again({ autoretryFor: [BeatlockError] })(new SoftTimeLimitExceeded(5)))
  })

  it('none without autoretryFor, and none that dontAutoretryFor names', () => {
    assert.equal(again({})(new Down()), false)
    const but = again({ autoretryFor: [Error], dontAutoretryFor: [DownForGood, 'TypeError'] })
    assert.deepEqual([new Down(), new DownForGood(), new TypeError()].map(but), [true, false, false])
  })

  it('none that cannot be looked at', () => {
    const policy = again({ autoretryFor: ['Down', Down] })
    const loud = Object.defineProperty(new Error('real'), 'code', {
      get() {
        throw new Error('of the getter')
      },
    })
    const bare = Object.create(Object.create(null))
    const closed = new Proxy({}, { getPrototypeOf: () => assert.fail('of the proxy') })
    assert.deepEqual([loud, bare, closed].map(policy), [false, false, false])
  })

  for (const [what, fields, says] of [
    [
      'a class alone',
      { autoretryFor: Error as never },
      /autoretryFor must be an array of .* got the class Error alone/,
    ],
    ['a number', { autoretryFor: ['X', 404 as never] }, /got 404 among them/],
    [
      'a function that is no class',
      { autoretryFor: [((error: Error) => error.name) as never] },
      /autoretryFor must be an array of .* got a function that is no class among them/,
    ],
    ['an empty name', { dontAutoretryFor: [''] }, /dontAutoretryFor must be .* got "" among them/],
    ['a maximum alone', { retryBackoffMax: '5m' }, /retryBackoffMax belongs to retryBackoff; set retryBackoff: true/],
    ['jitter alone', { retryBackoff: false, retryJitter: true }, /retryJitter belongs to retryBackoff/],
    ['a back-off of nothing', { retryBackoff: 0 }, /retryBackoff` to be a duration of at least 1 ms/],
    ['jitter by number', { retryBackoff: true, retryJitter: 1 as never }, /retryJitter must be true or false/],
    ['a delay without a unit', { defaultRetryDelay: '5' as never }, /defaultRetryDelay.*write '5s'/],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.throws(
        () => readRetryPolicy('t', fields),
        (error) => error instanceof UsageError && says.test(error.message),
      )
    })
  }
})
