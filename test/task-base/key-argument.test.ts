import assert from 'node:assert/strict'
import fc from 'fast-check'
import { App } from '../../src/index.js'
import { boundArguments, keyOf, namedArguments } from '../../src/task-base/key-argument.js'
import { readGuard } from '../../src/task-base/once.js'

const plain = { name: 'feeds.refresh', params: null, defaults: null }
const full = { ...plain, defaults: { full: false } }
const positional = { name: 'report', params: ['day', 'force'], defaults: { force: false } }

function key(task: typeof plain | typeof full | typeof positional, once: object, args: readonly unknown[]): string {
  return keyOf(task, readGuard(task.name, once), boundArguments(task, args)).key
}

describe('keys of calls', () => {
  it('is the task and 128 bits, without argument text', () => {
    assert.match(key(plain, {}, [{ secret: 'hunter2' }]), /^feeds\.refresh:[0-9a-f]{32}$/)
  })

  it('tells 1 from "1", null from absent, and one argument from two', () => {
    const keys = [[1], ['1'], [true], ['true'], [null], [], [[1]], [1, 1], [{ a: 1 }], [{ a: '1' }]].map((args) =>
      key(plain, {}, args),
    )
    assert.equal(new Set(keys).size, keys.length)
  })

  it('is the same in whatever order properties are written', () => {
    assert.equal(key(plain, {}, [{ a: 1, b: { c: 2, d: 3 } }]), key(plain, {}, [{ b: { d: 3, c: 2 }, a: 1 }]))
  })

  it('fills defaults, so that an absent argument and its default are one call', () => {
    assert.equal(key(full, {}, [{ feedId: 7 }]), key(full, {}, [{ feedId: 7, full: false }]))
    assert.equal(key(positional, {}, ['2026-01-01']), key(positional, {}, ['2026-01-01', false]))
    assert.notEqual(key(full, {}, [{ feedId: 7 }]), key(full, {}, [{ feedId: 7, full: true }]))
  })

  it('takes only the named keys', () => {
    const once = { keys: ['feedId'] }
    assert.equal(key(plain, once, [{ feedId: 7, at: 1 }]), key(plain, once, [{ feedId: 7, at: 2 }]))
    assert.notEqual(key(plain, once, [{ feedId: 7 }]), key(plain, once, [{ feedId: 8 }]))
    assert.equal(key(positional, { keys: ['day'] }, ['d', true]), key(positional, { keys: ['day'] }, ['d', false]))
  })

  it('refuses arguments without names where the keys need them: such calls would all share one key', () => {
    const once = { keys: ['feedId'] }
    assert.throws(() => key(plain, once, [7]), /locked by feedId, .* 1 argument without names .* pass one object/)
    assert.throws(() => key(plain, once, [{ feedId: 7 }, 8]), /2 arguments without names/)
    assert.throws(() => key(positional, { keys: ['day'] }, ['d', true, 3]), /takes at most 2: day, force/)
  })

  it('refuses a call that leaves out a declared key argument without a default, by its name', () => {
    const once = { keys: ['feedId', 'tenant'] }
    const cure = /locked by feedId, which this call does not give; pass it, or declare defaults = \{ feedId: … \}/
    for (const args of [[], [{}], [{ tenant: 1 }], [{ feedId: undefined, tenant: 1 }]]) {
      assert.throws(() => key(plain, once, args), cure)
    }
    assert.throws(() => key(plain, once, [{ feedId: 1 }]), /locked by tenant/)
    assert.throws(() => key(positional, { keys: ['day'] }, []), /locked by day, .* \(argument 1\)/)
    const byBoth = { ...positional, params: ['day', 'to', 'force'] }
    assert.throws(() => key(byBoth, { keys: ['day', 'to'] }, ['d']), /locked by to, .* \(argument 2\)/)
  })

  it('refuses a task whose keys its params lack, with a guess', () => {
    const app = new App('keys', { broker: 'memory:' })
    const options = { params: ['day', 'to'], once: { keys: ['dya' as 'day'] } } as const
    const register = () => app.task('report', options, (day: string, to: string) => day + to)
    assert.throws(register, /task 'report': once\.keys names 'dya', which params lacks; did you mean "day"/)
  })

  it('takes null for a value of a key argument, and a default for one that is left out', () => {
    const once = { keys: ['feedId'] }
    assert.notEqual(key(plain, once, [{ feedId: null }]), key(plain, once, [{ feedId: 0 }]))
    const byFull = { keys: ['full'] }
    assert.equal(key(full, byFull, [{ feedId: 7 }]), key(full, byFull, [{ feedId: 8, full: false }]))
    assert.equal(key(full, byFull, []), key(full, byFull, [{ full: false }]))
    assert.equal(key(positional, { keys: ['force'] }, ['d']), key(positional, { keys: ['force'] }, ['d', false]))
  })

  it('is one for the task with keys: []', () => {
    assert.equal(key(plain, { keys: [] }, [1]), key(plain, { keys: [] }, [{ a: 2 }]))
  })

  it('is what the key function returns', () => {
    const once = { key: (feed: { feedId: number }) => feed.feedId % 2 }
    assert.equal(key(plain, once, [{ feedId: 1 }]), key(plain, once, [{ feedId: 3 }]))
    assert.notEqual(key(plain, once, [{ feedId: 1 }]), key(plain, once, [{ feedId: 2 }]))
    assert.throws(() => key(plain, { key: () => undefined }, []), /once\.key returned nothing/)
    assert.throws(() => key(plain, { key: () => new Date() }, []), /Date/)
  })

  it('[P20] shows key arguments in the label without control characters, or hides them', () => {
    const args = boundArguments(plain, [{ feedId: 'a\u001b[31m\u202e' }])
    const { label } = keyOf(plain, readGuard('t', { keys: ['feedId'] }), args)
    assert.doesNotMatch(label, /[\u0000-\u001f\u007f-\u009f\u202e]/)
    assert.match(label, /^feeds\.refresh feedId="a/)
    const hidden = keyOf(plain, readGuard('t', { keys: ['feedId'], redact: true }), args)
    assert.equal(hidden.label, 'feeds.refresh feedId=…')
  })

  it('cuts no character of a label in half: Postgres refuses the text', () => {
    for (const length of [55, 56, 57, 58]) {
      const args = [{ feedId: `${'x'.repeat(length)}😀😀😀` }]
      const { label } = keyOf(plain, readGuard('t', { keys: ['feedId'] }), args)
      assert.ok(label.isWellFormed(), label)
    }
  })

  it('never gives two different JSON values one key', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 2 }), fc.jsonValue({ maxDepth: 2 }), (a, b) => {
        const [x, y] = [JSON.parse(JSON.stringify(a)), JSON.parse(JSON.stringify(b))]
        if (hasMinusZero(a) || hasMinusZero(b)) return
        let same = true
        try {
          assert.deepEqual(x, y)
        } catch {
          same = false
        }
        assert.equal(key(plain, {}, [x]) === key(plain, {}, [y]), same)
      }),
      { numRuns: 300 },
    )
  })
})

describe('arguments by name', () => {
  it('follow the declared order, defaults between them', () => {
    assert.deepEqual(
      namedArguments({ ...positional, params: ['a', 'b', 'c'], defaults: { b: 2 } }, { c: 3, a: null }),
      [null, 2, 3],
    )
  })
  it('refuse a name the task does not have, with a guess', () => {
    assert.throws(() => namedArguments(positional, { dya: 1 }), /no argument 'dya'; did you mean .day/)
  })
})

function hasMinusZero(value: unknown): boolean {
  return (
    Object.is(value, -0) || (typeof value === 'object' && value !== null && Object.values(value).some(hasMinusZero))
  )
}
