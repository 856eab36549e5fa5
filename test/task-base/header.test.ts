import assert from 'node:assert/strict'
import { App, UsageError } from '../../src/index.js'
import { anotherRound } from '../../src/task-base/dead-letters.js'
import { executeTask } from '../../src/task-base/execute.js'
import { encodeMessage } from '../../src/task-base/message.js'

describe('headers of a call', () => {
  const app = new App('headed', { broker: 'memory:' })
  app.task('headers', {}, function () {
    return { frozen: Object.isFrozen(this.request.headers), headers: this.request.headers }
  })
  const target = app.tasks.get('headers')
  assert.ok(target)
  const signal = new AbortController().signal
  const told = async (message: string): Promise<unknown> => {
    const run = {
      runId: 'r',
      token: null,
      space: { app: 'a' },
      deliveries: 1,
      retries: 0,
      deadlineNs: null,
      softLimitMs: null,
    }
    const body = { ...run, message, hardLimitMs: null, signal, remainingMs: () => 0 }
    const verdict = await executeTask((name) => app.tasks.get(name), body)
    assert.ok(verdict.end === 'returned')
    return JSON.parse(verdict.result ?? 'null')
  }
  after(() => app.close())

  it('reach the body frozen, and are {} by default', async () => {
    const message = await app.message(target, [], { headers: { trace: '4f2a' } })
    assert.deepEqual(await told(encodeMessage(message)), { frozen: true, headers: { trace: '4f2a' } })
    const none = await app.message(target, [], {})
    assert.deepEqual(await told(encodeMessage(none)), { frozen: true, headers: {} })
  })

  it('are kept when a dead letter is queued again', async () => {
    const message = await app.message(target, [], { headers: { trace: '4f2a' } })
    assert.deepEqual(anotherRound(message, 1, 0).headers, { trace: '4f2a' })
  })

  it('are refused at publish by the path of what does not fit, without its value', async () => {
    const call = (headers: unknown) => app.message(target, [], { headers: headers as Record<string, string> })
    const message = /call of 'headers': headers\["retry"\] must be text, got a value of type number; turn it/
    await assert.rejects(call({ trace: 'x', retry: 3 }), { name: UsageError.name, message })
    await assert.rejects(call(['secret']), /headers must be an object such as .*, got an array\.$/)
    await assert.rejects(call(new Map()), /headers must be an object/)
    await assert.rejects(
      call({ body: 'é'.repeat(4_096) }),
      /headers take 8\d+ bytes, more than 8192; pass large values/,
    )
  })
})
