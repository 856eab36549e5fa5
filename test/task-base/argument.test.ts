import assert from 'node:assert/strict'
import fc from 'fast-check'
import { plainArguments } from '../../src/task-base/argument.js'

class Money {
  readonly cents = 1
}

const cycle: Record<string, unknown> = {}
cycle['self'] = cycle

/** [what, the argument, the path named] */
const REFUSED: readonly [string, unknown, string][] = [
  ['NaN', Number.NaN, 'args[0]'],
  ['an infinity', { a: [Number.POSITIVE_INFINITY] }, 'args[0].a[0]'],
  ['−0', { a: -0 }, 'args[0].a'],
  ['undefined', undefined, 'args[0]'],
  ['undefined in an array', { a: [1, undefined] }, 'args[0].a[1]'],
  // biome-ignore lint/suspicious/noSparseArray: the very thing that is refused.
  ['a gap', [1, , 2], 'args[0][1]'],
  ['a BigInt', 1n, 'args[0]'],
  ['a function', { f: () => 1 }, 'args[0].f'],
  ['a symbol', Symbol('x'), 'args[0]'],
  ['a symbol property', { [Symbol('x')]: 1 }, 'args[0]'],
  ['a Date', { at: new Date(0) }, 'args[0].at'],
  ['a Map', new Map(), 'args[0]'],
  ['a class instance', [new Money()], 'args[0][0]'],
  ['toJSON', { toJSON: () => 1 }, 'args[0]'],
  ['a cycle', cycle, 'args[0].self'],
  ['a lone surrogate', { text: '\ud800' }, 'args[0].text'],
  ['a lone surrogate in a name', { '\udc00': 1 }, 'args[0]'],
]

describe('plain arguments', () => {
  for (const [what, value, path] of REFUSED) {
    it(`refuses ${what} by its path`, () => {
      assert.throws(
        () => plainArguments('t', [value]),
        (error: Error & { data: { path: string } }) => {
          assert.match(error.message, /^task 't': args\[0\]/)
          assert.equal(error.data.path, path)
          return true
        },
      )
    })
  }

  it('drops undefined properties and keeps all else', () => {
    assert.deepEqual(plainArguments('t', [{ a: undefined, b: [null, { c: '\u0000é' }] }, 1]), [
      { b: [null, { c: '\u0000é' }] },
      1,
    ])
  })

  it('keeps a property named __proto__ as data', () => {
    const [copy] = plainArguments('t', [JSON.parse('{"__proto__": {"x": 1}}')])
    assert.equal(JSON.stringify(copy), '{"__proto__":{"x":1}}')
  })

  it('whatever passes comes back from JSON unchanged', () => {
    fc.assert(
      fc.property(
        fc.array(fc.anything({ withBigInt: true, withDate: true, withMap: true, withSparseArray: true })),
        (args) => {
          let plain: unknown[]
          try {
            plain = plainArguments('t', args)
          } catch {
            return
          }
          assert.deepEqual(JSON.parse(JSON.stringify(plain)), plain)
        },
      ),
      { numRuns: 500 },
    )
  })
})
