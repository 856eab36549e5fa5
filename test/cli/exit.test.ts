import assert from 'node:assert/strict'
import { CommanderError } from 'commander'
import { exitCodeOf, sentenceOf } from '../../src/cli/exit.js'
import { BrokerUnavailable, StoreUnavailable, UsageError } from '../../src/lock/error.js'
import { PublishUnknown, ResultTimeout } from '../../src/task-base/error.js'

describe('the end of a command', () => {
  const codes: [string, unknown, number][] = [
    ['wrong usage', new UsageError('x'), 2],
    ['an unreachable store', new StoreUnavailable('h:1', 'refused'), 69],
    ['an unreachable broker', new BrokerUnavailable('h:1', 'refused'), 69],
    ['a publish without an answer', new PublishUnknown('1', undefined), 69],
    ['a result that did not come', new ResultTimeout('1', 5), 1],
    ['anything unexpected', new TypeError('x'), 1],
    ['something thrown that is no error', 'x', 1],
    ['an unknown option', new CommanderError(1, 'commander.unknownOption', 'error: x'), 2],
    ['help', new CommanderError(0, 'commander.helpDisplayed', '(outputHelp)'), 0],
    ['an error of another copy of the package', Object.assign(new Error('x'), { code: 'USAGE' }), 2],
  ]
  for (const [what, error, code] of codes) {
    it(`is ${code} for ${what}`, () => assert.equal(exitCodeOf(error), code))
  }

  it('says a sentence without a stack, but at -l debug', () => {
    const error = new UsageError('no', { cause: new RangeError('deep') })
    assert.equal(sentenceOf(error, 'no stack'), 'no')
    assert.match(sentenceOf(error, 'stack') ?? '', /UsageError: no\n.*at .*caused by RangeError: deep\n.*at /s)
  })

  it('says of an unexpected error how to learn more', () => {
    assert.match(sentenceOf(new TypeError('x'), 'no stack') ?? '', /^unexpected TypeError: x; -l debug/)
  })

  it('[P20] prints no control characters of an error', () => {
    assert.equal(sentenceOf(new UsageError('a\u001b[2Jb'), 'no stack'), 'a\\u{1b}[2Jb')
  })

  it('puts the parser’s guess into the sentence', () => {
    const error = new CommanderError(
      1,
      'commander.unknownOption',
      "error: unknown option '--jsn'\n(Did you mean --json?)",
    )
    assert.equal(sentenceOf(error, 'no stack'), "unknown option '--jsn'; did you mean --json?")
  })
})
