import assert from 'node:assert/strict'
import { readGuard, withCall } from '../../src/task-base/once.js'

/** [options, what the sentence says] */
const REFUSED: readonly [object, RegExp][] = [
  [{ timeoutt: '1h' }, /^task 't': once has no option 'timeoutt'; did you mean .timeout/],
  [{ overlap: 'skp' }, /overlap must be .* got "skp"; did you mean .skip/],
  [{ limit: 0 }, /once\.limit must be a whole number from 1 to 1000, got 0/],
  [{ limit: '2' }, /once\.limit must be a whole number from 1 to 1000, got "2"/],
  [{ maxParked: 0 }, /once\.maxParked must be a whole number from 1 to 100000, got 0/],
  [{ mode: 'whileExecutin' }, /once\.mode must be one of .*; did you mean .whileExecuting/],
  [{ keep: 'last' }, /once\.keep must be one of 'first', 'latest', got "last"/],
  [{ unlockBeforeRun: 1 }, /once\.unlockBeforeRun must be true or false/],
  [{ minRun: 20000 }, /once\.minRun.*write '20s'/],
  [{ overlap: 'skip', keep: 'latest' }, /keep belongs to overlap 'defer', not to 'skip'/],
  [{ overlap: 'defer', maxParked: 3 }, /maxParked belongs to overlap 'queue', not to 'defer'/],
  [{ overlap: 'queue', minRun: '1s' }, /minRun belongs to overlap 'replace', not to 'queue'/],
  [{ overlap: 'raise', graceful: true }, /both graceful: true and overlap: 'raise'/],
  [{ overlap: 'skip', graceful: false }, /both graceful: false and overlap: 'skip'/],
  [{ mode: 'untilExecuted', unlockBeforeRun: true }, /both unlockBeforeRun: true and mode: 'untilExecuted'/],
  [{ mode: 'untilExecuting', unlockBeforeRun: false }, /both unlockBeforeRun: false and mode: 'untilExecuting'/],
  [{ timeout: '0s' }, /timeout/],
  [{ timeout: 20000 }, /once\.timeout.*write '20s'/],
  [{ keys: 'feedId' }, /keys must be an array/],
  [{ keys: [], key: () => 1 }, /both keys and key/],
  [{ graceful: 1 }, /graceful must be true or false/],
]

describe('once', () => {
  for (const [options, sentence] of REFUSED) {
    it(`refuses ${JSON.stringify(options)} with a sentence`, () => {
      assert.throws(
        () => readGuard('t', options),
        (error: Error) => sentence.test(error.message),
      )
    })
  }

  it('fills its defaults: all arguments, 1 h, raise', () => {
    assert.deepEqual(readGuard('t', {}), {
      keys: null,
      key: null,
      timeoutMs: 3_600_000,
      overlap: 'raise',
      keep: 'first',
      maxParked: 1_000,
      minRunMs: 0,
      limit: 1,
      mode: 'untilExecuted',
      redact: false,
    })
  })

  it('takes celery_once’s graceful as skip', () => {
    assert.equal(readGuard('t', { graceful: true }).overlap, 'skip')
  })

  it('takes celery_once’s unlockBeforeRun as untilExecuting', () => {
    assert.equal(readGuard('t', { unlockBeforeRun: true }).mode, 'untilExecuting')
    assert.equal(readGuard('t', { unlockBeforeRun: false }).mode, 'untilExecuted')
  })

  it('lets a call’s keep and maxParked win over the task’s, where its policy knows them', () => {
    const guard = readGuard('t', { overlap: 'defer', keep: 'latest' })
    assert.equal(withCall(guard, {}, 'call').keep, 'latest')
    assert.equal(withCall(guard, { keep: 'first' }, 'call').keep, 'first')
    assert.equal(withCall(guard, { overlap: 'queue', maxParked: 5 }, 'call').maxParked, 5)
    assert.throws(() => withCall(guard, { maxParked: 5 }, 'call'), /maxParked belongs to overlap 'queue'/)
    assert.throws(() => withCall(guard, { overlap: 'skip', keep: 'first' }, 'call'), /keep belongs to overlap 'defer'/)
  })

  it('lets a call change timeout, overlap, keep and maxParked, and nothing else', () => {
    const guard = readGuard('t', { keys: ['a'], overlap: 'skip' })
    assert.deepEqual(withCall(guard, { overlap: 'defer', timeout: '5s' }, 'call'), {
      ...guard,
      overlap: 'defer',
      timeoutMs: 5000,
    })
    assert.throws(() => withCall(guard, { limit: 2 } as object, 'call: once'), /call: once has no option 'limit'/)
    assert.throws(() => withCall(guard, { keys: ['b'] } as object, 'call: once'), /call: once has no option 'keys'/)
  })
})
