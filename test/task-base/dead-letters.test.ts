import assert from 'node:assert/strict'
import { App } from '../../src/index.js'
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
