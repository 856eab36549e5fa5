import assert from 'node:assert/strict'
import { App, currentRequest, QueueOnce, UsageError } from '../../src/index.js'
import { runTask } from './run-task.js'

class Refresh extends QueueOnce {
  readonly name = 'refresh'
  readonly defaults = { full: false }
  readonly once = { keys: ['feedId'], overlap: 'raise' } as const
  async run(feed: { feedId: number; full?: boolean }) {
    this.request.progress({ done: 1 })
    this.request.log.info('half way')
    await inTheBody?.()
    return { ...feed, attempt: this.request.attempt, locked: this.request.lock?.key !== undefined }
  }
}

let inTheBody: (() => Promise<unknown>) | undefined

describe('runTask', () => {
  const app = new App('unit', { broker: 'redis://127.0.0.1:1/0' })
  app.register(Refresh)
  app.task('retry', { once: { keys: [] } }, function () {
    this.retry({ countdown: '2s', cause: new RangeError('not yet') })
  })
  app.task('exclusive', { once: { keys: [], mode: 'whileExecuting', overlap: 'defer' } }, async () => inTheBody?.())

  beforeEach(() => {
    inTheBody = undefined
  })
  after(() => app.close())

  it('runs a task as a worker would, under its lock, without the broker that its app names', async () => {
    const run = await runTask(app, 'refresh', [{ feedId: 7 }])
    assert.ok(run.outcome === 'ran')
    assert.deepEqual(run.value, { feedId: 7, full: false, attempt: 1, locked: true })
    assert.ok((run.token ?? 0) > 0)
    assert.deepEqual(run.progress, [{ done: 1 }])
    assert.match(run.log[0] ?? '', /^refresh\[.*\] half way$/)
    const again = await runTask(app, 'refresh', [{ feedId: 7 }])
    assert.equal(again.outcome, 'ran', 'the key is free again')
    assert.ok((again.token ?? 0) > (run.token ?? 0))
  })

  it('tells what a body threw, with name, message and code', async () => {
    inTheBody = () => Promise.reject(Object.assign(new TypeError('no feed'), { code: 'NO_FEED' }))
    const run = await runTask(app, 'refresh', [{ feedId: 7 }])
    assert.ok(run.outcome === 'failed')
    assert.deepEqual([run.error.name, run.error.message], ['TypeError', 'no feed'])
    assert.equal((run.error as { code?: string }).code, 'NO_FEED')
  })

  it('tells a retry that a task asked for, and gives its key back', async () => {
    for (let time = 0; time < 2; time++) {
      const run = await runTask(app, 'retry')
      assert.ok(run.outcome === 'retried')
      assert.deepEqual([run.countdownMs, run.error?.name, run.error?.message], [2_000, 'RangeError', 'not yet'])
    }
  })

  it('is rejected with the holder while another run has the key', async () => {
    inTheBody = async () => {
      inTheBody = undefined
      const second = await runTask(app, 'refresh', [{ feedId: 7 }])
      assert.ok(second.outcome === 'rejected')
      assert.equal(second.holder?.id, currentRequest().id)
      assert.equal((await runTask(app, 'refresh', [{ feedId: 8 }])).outcome, 'ran')
    }
    assert.equal((await runTask(app, 'refresh', [{ feedId: 7 }])).outcome, 'ran')
  })

  it('leaves nothing behind of a call that was put back', async () => {
    inTheBody = async () => {
      inTheBody = undefined
      const second = await runTask(app, 'exclusive')
      assert.ok(second.outcome === 'parked')
      assert.equal(second.holder?.id, currentRequest().id)
      assert.equal(second.token, null)
    }
    assert.equal((await runTask(app, 'exclusive')).outcome, 'ran')
    assert.equal((await runTask(app, 'exclusive')).outcome, 'ran')
  })

  it('aborts the signal of the body with that of the test', async () => {
    const stop = new AbortController()
    inTheBody = async () => {
      stop.abort(new Error('enough'))
      currentRequest().signal.throwIfAborted()
    }
    const run = await runTask(app, 'refresh', [{ feedId: 7 }], { signal: stop.signal })
    assert.ok(run.outcome === 'failed')
    assert.equal(run.error.message, 'enough')
  })

  it('refuses unknown tasks and arguments that could not be published', async () => {
    await assert.rejects(runTask(app, 'refesh'), (error) => {
      assert.ok(error instanceof UsageError)
      assert.match(error.message, /no task 'refesh'; did you mean "refresh"\?/)
      return true
    })
    await assert.rejects(runTask(app, 'refresh', [{ feedId: new Map() }]), UsageError)
  })
})
