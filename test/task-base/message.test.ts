import assert from 'node:assert/strict'
import type { UsageError } from '../../src/lock/error.js'
import { decodeMessage } from '../../src/task-base/message.js'
import { messageText } from '../worker/fixture/body.js'

describe('a message as text', () => {
  const whole = JSON.parse(messageText('feeds.refresh', [{ feedId: 7 }])) as Record<string, unknown>

  it('is read back', () => {
    assert.deepEqual(decodeMessage(JSON.stringify(whole)), whole)
  })

  it('is refused by the field that it lacks', () => {
    const told = (over: object) => () => decodeMessage(JSON.stringify({ ...whole, ...over }))
    assert.throws(() => decodeMessage('{"v":1}'), /half a message arrived: its id is missing/)
    assert.throws(told({ args: { feedId: 7 } }), /its args is missing or of another kind/)
    assert.throws(told({ lock: null }), /its lock is/)
    assert.throws(told({ lock: { label: 'x' } }), /its lock\.key is/)
  })

  it('of another version is told from what nobody can read', () => {
    const versionIn = (text: string): unknown => {
      try {
        decodeMessage(text)
      } catch (error) {
        return (error as UsageError).data['version']
      }
      return 'none'
    }
    assert.deepEqual(['{"v":2}', '{"v":1}', '{}', '[]', 'null', 'half a te'].map(versionIn), [
      2,
      ...Array.from({ length: 5 }),
    ])
  })
})
