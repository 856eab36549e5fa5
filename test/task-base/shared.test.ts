import assert from 'node:assert/strict'
import { App, type Shared, UsageError } from '../../src/index.js'

/** [what, what to do, what the sentence says] */
const REFUSED: readonly [string, (shared: Shared) => Promise<unknown>, RegExp][] = [
  ['an empty key', (shared) => shared.get(''), /key '' \(0 bytes\) must be 1 … 200 bytes/],
  ['a long key', (shared) => shared.delete('ü'.repeat(101)), /\(202 bytes\) must be 1 … 200/],
  ['a key that could forge a line', (shared) => shared.ttl('a\nb'), /key 'a\\u\{a\}b' .* without control characters/],
  ['a key that is no text', (shared) => shared.get(7 as never), /a key must be text, got `7` \(number\)/],
  [
    'a large value',
    (shared) => shared.set('k', 'x'.repeat(16_383)),
    /'k': a value of 16385 bytes is larger than 16384/,
  ],
  [
    'a value that JSON would change',
    (shared) => shared.set('k', { at: [new Date(0)] }),
    /'k': value\.at\[0\] is a Date/,
  ],
  ['no value', (shared) => shared.set('k', undefined), /'k': value is undefined/],
  ['a step that is not whole', (shared) => shared.increment('n', 0.5), /by must be a whole number, got `0.5`/],
  [
    'an option that there is not',
    (shared) => shared.set('k', 1, { tll: 1 } as never),
    /no option 'tll'; did you mean .ttl/,
  ],
  ['a wrong ttl', (shared) => shared.set('k', 1, { ttl: 0 }), /shared\.set: ttl.*at least 1 ms/],
  ['a counter that is text', (shared) => shared.increment('text'), /'text' stays as it is: .* not a whole number/],
  ['a sum that is too large', (shared) => shared.increment('large'), /'large' stays as it is: .* safe integer/],
]

describe('app.shared', () => {
  const app = new App('sharing', { broker: 'memory:' })
  after(() => app.close())

  it('keeps JSON, tells nothing from null, and compares whatever the order of properties', async () => {
    const { shared } = app
    assert.equal(await shared.get('flag'), undefined)
    await shared.set('flag', null)
    assert.equal(await shared.get('flag'), null)
    assert.equal(await shared.compareAndSet('flag', undefined, 1), false)
    assert.equal(await shared.compareAndSet('flag', null, { a: 1, b: [2] }), true)
    assert.equal(await shared.compareAndSet('flag', { b: [2], a: 1 }, true, { ttl: '1h' }), true)
    const left = (await shared.ttl('flag')) ?? 0
    assert.ok(left > 3_500_000 && left <= 3_600_000, `left: ${left}`)
    assert.equal(await shared.delete('flag'), true)
    assert.equal(await shared.ttl('flag'), undefined)
  })

  it('counts up and down', async () => {
    const { shared } = app
    assert.deepEqual([await shared.increment('n'), await shared.increment('n', -3)], [1, -2])
    assert.equal(await shared.ttl('n'), Number.POSITIVE_INFINITY)
  })

  for (const [what, act, says] of REFUSED) {
    it(`refuses ${what}, and changes nothing`, async () => {
      const { shared } = app
      await shared.set('text', 'seven')
      await shared.set('large', Number.MAX_SAFE_INTEGER)
      await shared.delete('k')
      await assert.rejects(act(shared), (error: Error) => error instanceof UsageError && says.test(error.message))
      assert.deepEqual(
        [await shared.get('k'), await shared.get('text'), await shared.get('large')],
        [undefined, 'seven', Number.MAX_SAFE_INTEGER],
      )
    })
  }
})
