import assert from 'node:assert/strict'
import { App, ResultTimeout } from '../../src/index.js'
import { encodeMessage } from '../../src/task-base/message.js'

describe('a dead letter of a task that no worker has told of', () => {
  it('[P20] shows no arguments where the task locks, since it may hide them', async () => {
    const app = new App('letters', { broker: 'memory:' })
    app.task('secret', { once: { keys: [], redact: true } }, (_: string) => {})
    app.task('plain', {}, (_: string) => {})
    const { store } = await app.connection()
    const shown = async (task: string) => {
      const message = await app.message(await app.targetOf(task), ['open sesame'], {})
      const { key, label } = message.lock
      const letter = { key, messageId: message.id, round: 0, task, label, queue: 'default', code: 'UNKNOWN_TASK' }
      await store.dead.bury({ ...letter, message: encodeMessage(message) })
      return (await app.deadLetters.show(message.id))?.args
    }
    assert.equal(await shown('secret'), null)
    assert.deepEqual(await shown('plain'), ['open sesame'])
    await store.define({ secret: { ...app.guardDefinitions()['secret'], redact: false } as never })
    assert.deepEqual(await shown('secret'), ['open sesame'])
    await app.close()
  })
})

describe('a dead letter that is queued again without a hold', () => {
  const letterOf = async (app: App, task: string, over: { known?: boolean } = {}) => {
    const { store } = await app.connection()
    const made = await app.message(await app.targetOf(task), [1], {})
    const message = { ...made, lock: { ...made.lock, ...over } }
    const { key, label } = message.lock
    const ref = { key, messageId: message.id, round: 0 }
    const ending = { token: null, outcome: 'failed', code: 'MAX_DELIVERIES', result: null, error: null } as const
    await store.release({ ...ref, ...ending, publishLeaseMs: 10_000, resultMs: 60_000 })
    const letter = { ...ref, task, label, queue: 'default', code: 'MAX_DELIVERIES' }
    await store.dead.bury({ ...letter, message: encodeMessage(message) })
    return message
  }

  for (const task of ['plain', 'one.at.a.time', 'of.others']) {
    it(`[P10] has not failed, and can be revoked: ${task}`, async () => {
      const app = new App(`again-${task}`, { broker: 'memory:' })
      app.task('plain', {}, (n: number) => n)
      app.task('one.at.a.time', { once: { keys: [], mode: 'whileExecuting' } }, (n: number) => n)
      const message = await letterOf(app, task)
      const { id } = message
      const result = app.result(id)
      assert.equal(await result.state(), 'FAILURE')
      assert.equal((await app.revoke(id)).outcome, 'finished')
      assert.deepEqual(await app.deadLetters.requeue(id), { outcome: 'published', round: 1 })
      assert.equal(await result.state(), 'PENDING')
      await assert.rejects(result.get({ timeout: 0 }), ResultTimeout)
      assert.equal((await app.revoke(id)).outcome, 'revoked')
      assert.equal(await result.state(), 'REVOKED')
      assert.deepEqual(await app.deadLetters.requeue(id), { outcome: 'unknown' })
      await app.close()
    })
  }
})
