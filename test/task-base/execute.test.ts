import assert from 'node:assert/strict'
import { App } from '../../src/index.js'
import { messageText } from '../worker/fixture/body.js'

describe('a body', () => {
  it('fails with a result that no server should keep: written down again and again, it would hold its key', async () => {
    const app = new App('bodies', { broker: 'memory:' })
    app.task('big', {}, (length: number) => 'x'.repeat(length))
    const run = (length: number) =>
      app.execute({
        message: messageText('big', [length]),
        token: null,
        deliveries: 1,
        retries: 0,
        remainingMs: () => 1,
        signal: new AbortController().signal,
      })
    assert.equal((await run(1_000_000)).end, 'returned')
    const end = await run(17_000_000)
    assert.equal(end.end, 'threw')
    assert.match(JSON.stringify(end), /the result takes 17000002 bytes, .* store it and return its place/)
  })
})
