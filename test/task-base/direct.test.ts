import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  AlreadyQueued,
  App,
  type BeatlockError,
  type DirectOptions,
  guard,
  LockLost,
  UsageError,
} from '../../src/index.js'
import { DIRECT_MARKER, DIRECT_QUEUE } from '../../src/task-base/message.js'
import { ranMs, stalledMs } from '../support/machine-time.js'
import { until } from '../support/until.js'

describe('code guarded without a task', () => {
  let app: App

  beforeEach(() => {
    app = new App('direct', { broker: 'memory:', locks: { lease: '5s' } })
  })

  afterEach(async () => {
    assert.equal((await app.locks.list().next()).done, true, 'no lock is left')
    await app.close()
  })

  it('[P3] is handed its lock, and gives its value back; the next run has a higher token', async () => {
    const first = await app.locks.run('import:7', {}, ({ signal, token, key, remainingMs }) => {
      assert.equal(signal.aborted, false)
      assert.match(key, /^import:7:[0-9a-f]{32}$/)
      assert.ok(remainingMs() > 3000 && remainingMs() <= 5000)
      return token
    })
    const second = await app.locks.run('import:7', {}, async ({ token }) => token)
    assert.ok(first.ran && second.ran && second.value > first.value)
  })

  it('skips while another run of the process has the key, and names it', async () => {
    const body = gate()
    const first = app.locks.run('import', {}, () => body.opened)
    await holder('import')
    const second = await app.locks.run('import', {}, () => assert.fail('must not run'))
    assert.ok(!second.ran)
    assert.equal(second.holder.worker?.startsWith(`${process.pid}@`), true)
    body.open()
    assert.deepEqual(await first, { ran: true, value: undefined })
    assert.deepEqual(await app.locks.run('import', {}, () => 1), { ran: true, value: 1 })
  })

  it('throws AlreadyQueued with overlap raise', async () => {
    const body = gate()
    const first = app.locks.run('import', {}, () => body.opened)
    const id = await holder('import')
    await assert.rejects(
      app.locks.run('import', { overlap: 'raise' }, () => 1),
      (error: AlreadyQueued) => {
        return error instanceof AlreadyQueued && error.holder.id === id && /wait: '10s'/.test(error.message)
      },
    )
    body.open()
    await first
  })

  it('locks by name and key value; a task of the same name and key has a lock of its own', async () => {
    const task = app.task('import', { once: { keys: ['feed'], overlap: 'skip' } }, (_: { feed: number }) => 1)
    const { id } = await task.delay({ feed: 7 })
    await until(async () => (await app.locks.list({ stage: 'queued' }).next()).value?.holder === id)
    const nested = await app.locks.run('import', { key: { feed: 7 } }, () =>
      app.locks.run('import', { key: { feed: 8 } }, () => app.locks.run('import', { key: { feed: 7 } }, () => 1)),
    )
    assert.ok(nested.ran && nested.value.ran && !nested.value.value.ran)
    const labels: string[] = []
    for await (const row of app.locks.list()) labels.push(`${row.label} ${row.stage}`)
    assert.deepEqual(labels, ['import feed=7 queued'])
    for await (const row of app.locks.list()) await app.locks.clear(row.key)
  })

  it('passes the body’s error on, and frees the key', async () => {
    await assert.rejects(
      app.locks.run('import', {}, () => {
        throw new RangeError('as it must')
      }),
      RangeError,
    )
    assert.equal((await app.locks.run('import', {}, () => 1)).ran, true)
  })

  it('guards a function: arguments pass through, a skipped call resolves to undefined', async () => {
    const body = gate()
    const work = guard(app, { name: 'work', key: (n: number) => n }, async ({ token }, n: number, text: string) => {
      if (text === 'wait') await body.opened
      return `${n} ${text} ${token > 0}`
    })
    const first = work(1, 'wait')
    await holder('work')
    assert.equal(await work(1, 'now'), undefined)
    assert.equal(await work(2, 'now'), '2 now true')
    body.open()
    assert.equal(await first, '1 wait true')
  })

  it('keys a guard by its name alone unless told how: schedulers pass arguments of their own', async () => {
    const body = gate()
    const work = guard(app, { name: 'work' }, (_lock, _context: object) => body.opened)
    const first = work({ at: 1, cannotBeCloned() {} })
    await holder('work')
    assert.equal(await work({ at: 2 }), undefined)
    body.open()
    await first
  })

  it('[P19] a bounded wait ends with the key still held: refused, and its place in line is gone', async () => {
    const body = gate()
    const first = app.locks.run('import', {}, () => body.opened)
    const id = await holder('import')
    const askedNs = process.hrtime.bigint()
    const second = await app.locks.run('import', { wait: '200ms' }, () => assert.fail('must not run'))
    const waitedMs = Number(process.hrtime.bigint() - askedNs) / 1e6
    assert.ok(!second.ran && second.holder.id === id)
    assert.ok(waitedMs >= 190 && ranMs(askedNs) < 1500, `waited ${waitedMs} ms`)
    assert.deepEqual((await app.locks.show(await keyOf('import')))?.parked, [])
    body.open()
    await first
  })

  it('[P19] those who wait run in order of asking, one at a time', async () => {
    const body = gate()
    const first = app.locks.run('import', {}, () => body.opened)
    await holder('import')
    const order: number[] = []
    let inside = 0
    const told: unknown[] = []
    app.on('call:promoted', (event) => told.push(event))
    app.on('trouble', (event) => told.push(event))
    const waiting: Promise<unknown>[] = []
    for (const n of [1, 2, 3, 4]) {
      const run = async (): Promise<void> => {
        order.push(n)
        assert.equal(++inside, 1)
        await sleep(20)
        inside -= 1
      }
      waiting.push(app.locks.run('import', { wait: '10s' }, run))
      await inLine('import', n)
    }
    body.open()
    await Promise.all([first, ...waiting])
    assert.deepEqual(order, [1, 2, 3, 4])
    assert.deepEqual(told, [], 'no turn of theirs goes to the engine as a message')
  })

  it('a newcomer that does not wait never overtakes those who do', async () => {
    const body = gate()
    const first = app.locks.run('import', {}, () => body.opened)
    await holder('import')
    const askedNs = process.hrtime.bigint()
    const waiter = app.locks.run('import', { wait: '10s' }, () => 'waiter')
    await inLine('import', 1)
    const [parked] = (await app.locks.show(await keyOf('import')))?.parked ?? []
    const lastsMs = (parked?.expiresAt ?? 0) - (parked?.since ?? 0)
    assert.ok(
      Math.abs(lastsMs - 10_000) < 500 + stalledMs(askedNs),
      `[P19] it keeps its place for ${lastsMs} ms should it die`,
    )
    body.open()
    await first
    const newcomer = await app.locks.run('import', {}, () => 'newcomer')
    assert.equal(newcomer.ran, false)
    assert.deepEqual(await waiter, { ran: true, value: 'waiter' })
  })

  it('[P19] a waiter that died in line loses its turn when its wait would have ended', async () => {
    const body = gate()
    const first = app.locks.run('import', {}, () => body.opened)
    await holder('import')
    const key = await keyOf('import')
    const { store } = await app.connection()
    const startedNs = process.hrtime.bigint()
    const now = await store.now()
    const terms = {
      task: 'import',
      label: 'import',
      queue: DIRECT_QUEUE,
      limit: 1,
      mode: 'untilExecuted',
      guarded: true,
    } as const
    await store.acquire({
      key: key as never,
      messageId: 'dead',
      round: 0,
      terms: { ...terms, timeoutMs: 1000, notBefore: null, expiresAt: now + 500 },
      whenHeld: { do: 'park', capacity: 1000, keep: 'all' },
      message: DIRECT_MARKER,
      publishLeaseMs: 10_000,
      resultMs: 1000,
    })
    const waiter = app.locks.run('import', { wait: '10s' }, async () => (await store.now()) - now)
    await inLine('import', 2)
    body.open()
    await first
    const answer = await waiter
    assert.ok(answer.ran && answer.value >= 500 && answer.value < 3000 + stalledMs(startedNs), JSON.stringify(answer))
  })

  it('[P8] a dead holder is settled by the next one who asks, once lease and lock delay are over', async () => {
    const { store } = await app.connection()
    const live = await app.locks.run('import', {}, ({ key: of }) => of)
    assert.ok(live.ran)
    const terms = {
      task: 'import',
      label: 'import',
      queue: DIRECT_QUEUE,
      limit: 1,
      mode: 'untilExecuted',
      guarded: true,
    } as const
    await store.advance({
      key: live.value as never,
      messageId: 'dead',
      round: 0,
      to: 'running',
      terms: { ...terms, timeoutMs: 1000, notBefore: null, expiresAt: null },
      owner: 'dead',
      worker: 'dead@host',
      barrier: 'none',
      slot: 0,
      leaseMs: 1_000,
      lockDelayMs: 300,
      maxDeliveries: 1,
      publishedAt: 0,
      whenHeld: 'wait',
      minRunMs: 0,
      publishLeaseMs: 10_000,
      resultMs: 1000,
    })
    const held = await app.locks.run('import', {}, () => 1)
    assert.ok(!held.ran && held.holder.worker === 'dead@host')
    await until(async () => ((await app.locks.list().next()).value?.ttlMs ?? 0) < -310)
    assert.equal((await app.locks.run('import', {}, () => 1)).ran, true, 'at the first asking, before any sweep')
  })

  it('[P7] a lock that is cleared aborts the signal, and the call rejects though the body returned', async () => {
    const lost: string[] = []
    app.on('run:lost', ({ reason }) => lost.push(reason))
    let aborted = 0
    const run = app.locks.run('import', {}, async ({ signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
      aborted = performance.now()
      assert.ok(signal.reason instanceof LockLost)
      return 'too late'
    })
    const ended = assert.rejects(run, (error: BeatlockError) => error.code === 'LOCK_LOST')
    await holder('import')
    await app.locks.clear(await keyOf('import'), { force: true })
    await ended
    assert.ok(aborted > 0)
    assert.deepEqual(lost, ['cancelled'])
  })

  it('[P4] a run whose hold was dropped unseen changes nothing at its end, and rejects', async () => {
    const body = gate()
    const run = app.locks.run('import', {}, () => body.opened)
    await holder('import')
    await app.locks.clear(await keyOf('import'), { force: true, now: true })
    const next = gate()
    const second = app.locks.run('import', {}, () => next.opened)
    const id = await holder('import')
    body.open()
    await assert.rejects(run, LockLost)
    assert.equal(await holder('import'), id, 'the next holder keeps its key')
    next.open()
    await second
  })

  it('close waits for what runs, ends what waits, and refuses what comes', async () => {
    const body = gate()
    const first = app.locks.run('import', {}, () => body.opened)
    await holder('import')
    const isClosed = (error: BeatlockError): boolean => error.code === 'CLOSED'
    const waiter = assert.rejects(
      app.locks.run('import', { wait: '1h' }, () => 1),
      isClosed,
    )
    await inLine('import', 1)
    let closed = false
    const closing = app.close().then(() => {
      closed = true
    })
    await waiter
    await assert.rejects(
      app.locks.run('other', {}, () => 1),
      isClosed,
    )
    assert.equal(closed, false)
    body.open()
    assert.equal((await first).ran, true)
    await closing
    assert.equal((await app.locks.run('import', {}, () => 1)).ran, true, 'it can be used again')
  })

  it('refuses bad options with a sentence, before anything is connected', async () => {
    const cases: readonly [DirectOptions & Record<string, unknown>, RegExp][] = [
      [{ overlap: 'defer' as never }, /overlap 'defer'.*wait: '10s'/],
      [{ overlap: 'queue' as never }, /overlap 'queue'.*wait: '10s'/],
      [{ overlap: 'replace' as never }, /overlap 'replace'.*wait: '10s'/],
      [{ overlap: 'allow' as never }, /overlap 'allow' is no lock/],
      [{ overlap: 'skp' as never }, /'skip' or 'raise', got "skp"; did you mean "skip"\?/],
      [{ wait: 'soon' as never }, /`locks\.run 'x': wait` to be a duration/],
      [{ wait: '2h' }, /wait is longer than timeout/],
      [{ timeout: '10ms' }, /at least 1 s/],
      [{ wiat: '10s' }, /no option 'wiat'; did you mean "wait"\?/],
      [{ key: Number.NaN }, /NaN/],
    ]
    const elsewhere = new App('direct', { broker: 'redis://127.0.0.1:1/0' })
    for (const [options, sentence] of cases) {
      await assert.rejects(
        elsewhere.locks.run('x', options, () => 1),
        (error: Error) => {
          assert.match(error.message, sentence)
          return error instanceof UsageError
        },
      )
    }
    await assert.rejects(
      elsewhere.locks.run('a\nb', {}, () => 1),
      UsageError,
    )
    assert.throws(() => guard(elsewhere, { name: 'x', overlap: 'defer' as never }, () => 1), /wait: '10s'/)
    assert.throws(() => guard(elsewhere, { name: '' }, () => 1), UsageError)
    assert.throws(() => guard(elsewhere, { name: 'x', kye: 1 } as never, () => 1), /did you mean "key"\?/)
    const noKey = guard(elsewhere, { name: 'x', key: () => undefined }, () => 1)
    await assert.rejects(noKey(), /key returned nothing/)
  })

  /** The id of whoever runs under this name; waits until somebody does. */
  function holder(name: string): Promise<string> {
    return until(async () => {
      for await (const row of app.locks.list({ task: name, stage: 'running' })) return row.holder
      return undefined
    })
  }

  async function keyOf(name: string): Promise<string> {
    for await (const row of app.locks.list({ task: name })) return row.key
    throw new Error(`nobody has ${name}`)
  }

  async function inLine(name: string, parked: number): Promise<void> {
    await until(async () => {
      for await (const row of app.locks.list({ task: name })) return row.parked === parked
      return undefined
    })
  }
})

function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}
