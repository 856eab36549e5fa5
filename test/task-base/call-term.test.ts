import assert from 'node:assert/strict'
import { App, type CallOptions } from '../../src/index.js'
import type { Message } from '../../src/task-base/message.js'

describe('what a call and its task both may say', () => {
  const app = new App('terms', { broker: 'memory:', results: { expires: '2h' } })
  app.task('kept', { resultExpires: '3h', timeLimit: '1m' }, () => {})
  app.task('silent', { ignoreResult: true }, () => {})
  app.task('plain', {}, () => {})
  after(() => app.close())

  const message = async (task: string, options: CallOptions = {}): Promise<Message> =>
    app.message(await app.targetOf(task), [], options)

  it('of results: how long they are kept is the call’s word, else the task’s, else the app’s', async () => {
    const kept = async (task: string, options?: CallOptions) => (await message(task, options)).resultMs / 3_600_000
    assert.equal(await kept('kept', { resultExpires: '4h' }), 4)
    assert.equal(await kept('kept'), 3)
    assert.equal(await kept('plain'), 2)
    assert.equal(await kept('elsewhere', { resultExpires: '4h' }), 4)
    assert.equal(await kept('silent'), 0, 'as long as a redelivery may come, as every end')
    assert.equal(await kept('silent', { ignoreResult: false }), 2)
    assert.equal(await kept('kept', { ignoreResult: true }), 0)
  })

  it('travels with the call where the call said it: what its task says its worker reads from its code', async () => {
    const said = ({ timeLimitMs, softTimeLimitMs, ignoreResult }: Message) => [
      timeLimitMs,
      softTimeLimitMs,
      ignoreResult,
    ]
    assert.deepEqual(said(await message('kept')), [undefined, undefined, undefined])
    const call = { timeLimit: '30s', softTimeLimit: 20, ignoreResult: true } as const
    assert.deepEqual(said(await message('kept', call)), [30_000, 20_000, true])
    const old = Object.keys(await message('plain'))
    assert.ok(
      !old.some((name) => name.endsWith('TimeLimitMs') || name === 'ignoreResult'),
      'no longer for what is not said',
    )
  })

  it('a retry may be allowed without end', async () => {
    assert.equal((await message('plain', { retries: Number.POSITIVE_INFINITY })).maxRetries, Number.MAX_SAFE_INTEGER)
    await assert.rejects(message('plain', { retries: -1 }), /retries must be a whole number from 0 up/)
  })
})
