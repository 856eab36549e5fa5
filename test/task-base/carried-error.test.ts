import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  AlreadyQueued,
  BeatlockError,
  CommitUnknown,
  LockLost,
  SoftTimeLimitExceeded,
  StaleToken,
  StoreUnavailable,
  TaskFailed,
} from '../../src/index.js'
import { type CarriedError, carriedError, errorText, packError } from '../../src/task-base/carried-error.js'

const carried = (thrown: unknown): Error => carriedError(errorText(thrown))

class Declined extends Error {}
class TooFar extends RangeError {
  override readonly name = 'Beyond'
}

describe('an error that travels', () => {
  it('keeps class name, message, stack, code and the chain of its causes', () => {
    const root = Object.assign(new Error('no route'), { code: 'EHOSTUNREACH' })
    const thrown = new Declined('card 7', { cause: new TooFar('too far', { cause: root }) })
    const error = carried(thrown)
    assert.deepEqual([error.name, error.message, error.stack], ['Declined', 'card 7', thrown.stack])
    const cause = error.cause as Error
    assert.deepEqual([cause.name, cause.message], ['Beyond', 'too far'])
    assert.deepEqual([(cause.cause as Error).name, (cause.cause as { code?: unknown }).code], ['Error', 'EHOSTUNREACH'])
    assert.deepEqual(Object.keys(error), [], 'printing it lists no fields of ours')
  })

  it('is told also where its class has no name that is text', () => {
    class Odd extends Error {
      static override readonly name = 5 as never
    }
    assert.deepEqual([carried(new Odd('odd')).name, carried(new Odd('odd')).message], ['Error', 'odd'])
  })

  it('is of its class again where that is JavaScript’s or beatlock’s own', () => {
    assert.ok(carried(new TypeError('x')) instanceof TypeError)
    const soft = carried(new SoftTimeLimitExceeded(40))
    assert.ok(soft instanceof SoftTimeLimitExceeded && soft instanceof BeatlockError && soft instanceof Error)
    assert.deepEqual([soft.code, soft.data, soft.name], ['SOFT_TIME_LIMIT', { limitMs: 40 }, 'SoftTimeLimitExceeded'])
    const holder = { id: 'a', since: '2026-01-01T00:00:00.000Z' }
    const queued = carried(new AlreadyQueued({ key: 'k', label: 'l', holder, remainingMs: 5 }))
    assert.ok(queued instanceof AlreadyQueued && !(queued instanceof LockLost))
    assert.deepEqual([queued.key, queued.holder, queued.remainingMs], ['k', holder, 5])
    const away = carried(new TaskFailed('a', 'TASK_ERROR', new StoreUnavailable('h:1', 'gone')))
    assert.ok(away instanceof TaskFailed && away.cause instanceof StoreUnavailable && away.cause.server === 'h:1')
    const stale = carried(new StaleToken({ key: 'k', token: 5, highest: 6, cause: new Error('BL002') }))
    assert.ok(stale instanceof StaleToken && stale instanceof LockLost)
    assert.deepEqual(
      [stale.code, stale.token, stale.highest, (stale.cause as Error).message],
      ['LOCK_LOST', 5, 6, 'BL002'],
    )
    assert.ok(carried(new CommitUnknown({ key: 'k', token: 5, cause: null })) instanceof CommitUnknown)
  })

  it('is no error of beatlock’s for having the same name, and takes no fields but a code along', () => {
    const thrown = Object.assign(new Error('x'), { name: 'LockLost', request: { headers: 'secret' }, code: 7 })
    const error = carried(thrown)
    assert.equal(error.name, 'LockLost')
    assert.ok(!(error instanceof BeatlockError))
    assert.ok(!errorText(thrown).includes('secret'))
  })

  it('keeps the first errors of an AggregateError, each with its cause', () => {
    const many = Array.from({ length: 50 }, (_, n) => new TypeError(`no ${n}`, { cause: new Declined('why') }))
    const error = carried(new AggregateError(many, 'all failed'))
    assert.ok(error instanceof AggregateError)
    assert.equal(error.message, 'all failed')
    const first = error.errors[0] as Error
    assert.ok(first instanceof TypeError && (first.cause as Error).name === 'Declined')
    assert.equal(error.errors.length, 8)
  })

  it('ends where its causes run in a circle or go on for ever, and has a bound whatever was thrown', () => {
    const circle = new Error('a')
    circle.cause = new AggregateError([circle, new Error('b', { cause: circle })], 'c')
    const inner = carried(circle).cause as AggregateError
    assert.deepEqual(
      inner.errors.map((error: Error) => [error.message, error.cause]),
      [['b', undefined]],
    )
    let chain = new Error('x'.repeat(1_000_000))
    for (let n = 0; n < 1_000; n++) chain = new Error('x'.repeat(1_000_000), { cause: chain })
    const wide = (depth: number): Error =>
      depth === 0 ? chain : new AggregateError(Array.from({ length: 20 }, () => wide(depth - 1)))
    for (const thrown of [chain, wide(2)]) assert.ok(errorText(thrown).length < 300_000)
    assert.match(carried(chain).message, /x … \(991808 characters more\)$/)
  })

  it('never throws: what cannot be read is left out', () => {
    const hostile = Object.defineProperty(new Error('x'), 'stack', {
      get: () => {
        throw new Error('no stack for you')
      },
    })
    assert.equal(packError(hostile).message, 'x')
    const trap = new Proxy({}, { get: () => assert.fail('trap'), getPrototypeOf: () => assert.fail('trap') })
    for (const thrown of [trap, Object.create(null), { toString: () => assert.fail('no') }]) {
      assert.equal(packError(thrown).name, 'Error')
    }
    assert.deepEqual(packError({ name: 'Odd', message: 'no Error, yet one' }), {
      name: 'Odd',
      message: 'no Error, yet one',
    })
    assert.equal(packError('just text').message, 'just text')
    assert.equal(packError(undefined).message, 'undefined')
  })

  it('arrives as it left, whatever was thrown', () => {
    const { tree } = fc.letrec<{ tree: Error }>((tie) => ({
      tree: fc
        .record({
          message: fc.string(),
          name: fc.string({ minLength: 1 }),
          cause: fc.option(tie('tree'), { maxDepth: 4 }),
        })
        .map(({ message, name, cause }) => Object.assign(new Error(message, cause ? { cause } : {}), { name })),
    }))
    const same = (thrown: Error, seen: Error): void => {
      assert.deepEqual([seen.name, seen.message, seen.stack], [thrown.name, thrown.message, thrown.stack])
      if (thrown.cause) same(thrown.cause as Error, seen.cause as Error)
      else assert.equal(seen.cause, undefined)
    }
    const plain = tree.filter(({ name }) => name !== 'Error')
    fc.assert(fc.property(plain, (thrown) => same(thrown, carried(thrown))))
    fc.assert(
      fc.property(fc.anything(), (thrown) => {
        const seen = packError(thrown)
        assert.deepEqual(packError(carried(thrown)).message, seen.message satisfies CarriedError['message'])
      }),
    )
  })
})
