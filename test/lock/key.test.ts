import assert from 'node:assert/strict'
import { isPrivateKey, lockKey, privateKey } from '../../src/lock/key.js'

describe('lock key', () => {
  it('is the task and 128 bits of SHA-256 over the canonical arguments', () => {
    assert.equal(lockKey('feeds.refresh', '[]'), 'feeds.refresh:4f53cda18c2baa0c0354bb5f9a3ecbe5')
  })

  it('[P20] tells arguments apart by type and holds none of their text', () => {
    const keys = ['[1]', '["1"]', '[null]', '[]', '["secret"]'].map((text) => lockKey('t', text))
    assert.equal(new Set(keys).size, keys.length)
    for (const key of keys) assert.match(key, /^t:[0-9a-f]{32}$/)
  })

  it('is the same for the same call, and another for another task', () => {
    assert.equal(lockKey('a', '[1]'), lockKey('a', '[1]'))
    assert.notEqual(lockKey('a', '[1]'), lockKey('b', '[1]'))
  })

  for (const task of ['t', 'a:b', 'a:~b']) {
    it(`of a call without a lock is told apart, also for a task named ${task}`, () => {
      assert.ok(isPrivateKey(privateKey(task, '01HX')))
      assert.ok(!isPrivateKey(lockKey(task, '[1]')))
      assert.notEqual(privateKey(task, 'a'), privateKey(task, 'b'))
    })
  }
})
