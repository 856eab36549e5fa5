import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { type FileHandle, open as openFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { crc32 } from 'node:zlib'
import { openScheduleStore } from '../../adapters/file/index.js'
import type { EntryPut, ScheduleStore } from '../../src/beat/schedule-store.js'
import { scheduleStoreContract } from '../contract/index.js'
import { steady } from '../support/steady.js'

const USER = fileURLToPath(new URL('../support/file-user.js', import.meta.url))
const put = (name: string) => ({ name, spec: '{}', config: null, maxRuns: null })

describe('a timetable in a file', function () {
  this.timeout(120_000)
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'beatlock-file-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  scheduleStoreContract(steady, async () => {
    const stores: ScheduleStore[] = []
    const another = async (app = 'shop') => {
      const store = await openScheduleStore({ app, path: join(folder, app) })
      stores.push(store)
      return store
    }
    const store = await another()
    const close = async () => {
      await Promise.all(stores.map((each) => each.close()))
    }
    return { app: 'shop', store, another, advanceTime: (ms: number) => sleep(ms), close }
  })

  const open = (path = join(folder, 'timetable'), app = 'shop') => openScheduleStore({ app, path })

  it('is there again after its process has ended, history and counts too', async () => {
    const first = await open()
    await first.put([put('a'), put('b')], 'add')
    const row = await first.show('a')
    assert.ok(row)
    const { revision, nominal: from } = row
    const of = { entry: 'a', revision, from, by: 'b1', claimMs: 1_000 } as const
    const answer = await first.reserve({
      ...of,
      nominal: from + 1_000,
      kind: 'slot',
      dropped: [{ decision: 'missed', slots: 3, latest: from + 900 }],
    })
    assert.ok(answer.outcome === 'reserved')
    const { nominal, term } = answer.claim
    await first.decide({ entry: 'a', nominal, term, decision: 'published', holder: null, slots: 1 })
    await first.alter('b', { to: 'removed', config: null })
    const [kept, rows] = [await first.show('a'), await first.history('a', 9)]
    await first.close()
    const second = await open()
    assert.deepEqual(await second.show('a'), kept)
    assert.deepEqual(await second.history('a', 9), rows)
    assert.equal(await second.show('b'), null)
    assert.deepEqual(
      (await second.changes(0, 9)).rows.map(({ name, state }) => [name, state]),
      [
        ['a', 'active'],
        ['b', 'removed'],
      ],
    )
    await second.close()
    assert.deepEqual(readdirSync(folder), ['timetable'])
  })

  it('loses nothing that was answered, wherever its last write was cut', async () => {
    const path = join(folder, 'timetable')
    const store = await open()
    const sizes: number[] = []
    for (const name of ['a', 'b', 'c']) {
      await store.put([put(name)], 'add')
      sizes.push(readFileSync(path).length)
    }
    await store.close()
    const whole = readFileSync(path)
    for (let cut = sizes[0] ?? 0; cut <= whole.length; cut += 1) {
      writeFileSync(path, whole)
      truncateSync(path, cut)
      const again = await open()
      const names = (await again.changes(0, 9)).rows.map((row) => row.name)
      assert.deepEqual(names, ['a', 'b', 'c'].slice(0, sizes.filter((size) => size <= cut).length))
      await again.put([put('d')], 'add')
      await again.close()
      const third = await open()
      assert.deepEqual(
        (await third.changes(0, 9)).rows.map((row) => row.name),
        [...names, 'd'],
      )
      await third.close()
    }
  })

  it('survives kill -9 at any moment: what was answered is there, and slots go on without a second one', async () => {
    const path = join(folder, 'timetable')
    let answered = 0
    for (let life = 0; life < 5; life += 1) {
      const child = fork(USER, [path], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
      child.on('message', (count: number) => {
        answered = Math.max(answered, count)
      })
      await once(child, 'message')
      await sleep(50 + Math.random() * 150)
      await killed(child)
    }
    const store = await open()
    const row = await store.show('e')
    assert.ok(row)
    assert.ok((row.counts.published ?? 0) >= answered, `${row.counts.published} of ${answered}`)
    assert.ok(answered > 10)
    const rows = await store.history('e', 200)
    assert.equal(new Set(rows.map(({ nominal }) => nominal)).size, rows.length)
    await store.close()
  })

  it('serves one process at a time, says who has it, and is free when that was killed', async () => {
    const path = join(folder, 'timetable')
    const child = fork(USER, [path], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    await once(child, 'message')
    await assert.rejects(open(), (error: Error) =>
      error.message.includes(`is in use by process ${child.pid}: stop it first`),
    )
    await killed(child)
    await (await open()).close()
  })

  it('shows a command what is in it while another process writes it, and lets it change nothing', async () => {
    const path = join(folder, 'timetable')
    const child = fork(USER, [path], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    const views: ScheduleStore[] = []
    try {
      const [answered] = (await once(child, 'message')) as [number]
      for (let look = 0; look < 4; look += 1) {
        const view = await openScheduleStore({ app: 'shop', path, whenHeld: 'view' })
        views.push(view)
        const row = await view.show('e')
        assert.ok((row?.counts.published ?? 0) >= answered)
        assert.equal((await view.changes(0, 9)).rows.length, 1)
      }
      const [view] = views as [ScheduleStore]
      const refused = new RegExp(`in use by process ${child.pid}: stop it first, and start it again afterwards`)
      await assert.rejects(view.put([put('x')], 'add'), refused)
      await assert.rejects(view.alter('e', { to: 'disabled' }), refused)
      await assert.rejects(openScheduleStore({ app: 'other', path, whenHeld: 'view' }), /belongs to app 'shop'/)
    } finally {
      await killed(child)
    }
    const size = readFileSync(path).length
    appendFileSync(path, '0000')
    await Promise.all(views.map((view) => view.close()))
    assert.equal(readFileSync(path).length, size + 4, 'a view cuts nothing')
    const store = await openScheduleStore({ app: 'shop', path, whenHeld: 'view' })
    assert.equal((await store.alter('e', { to: 'disabled' }))?.state, 'disabled', 'nobody has it any more')
    await store.close()
  })

  it('refuses the file of a newer version, with both and what to do, and leaves it as it is', async () => {
    const path = join(folder, 'newer')
    const text = JSON.stringify({ v: 2, app: 'shop', more: true })
    const whole = `${crc32(text).toString(16).padStart(8, '0')} ${text}\n`
    writeFileSync(path, whole)
    await assert.rejects(
      open(path, 'shop'),
      /newer beatlock, in version 2; this is beatlock .* knows version 1: upgrade/,
    )
    assert.equal(readFileSync(path, 'utf8'), whole)
  })

  it('refuses the file of another app, and a damaged one, by name; and leaves both as they are', async () => {
    const path = join(folder, 'timetable')
    const store = await open()
    await store.put([put('a'), put('b')], 'add')
    await store.close()
    await assert.rejects(open(path, 'other'), /belongs to app 'shop', not to app 'other'/)
    const good = readFileSync(path, 'utf8')
    writeFileSync(path, good.replace('"name":"a"', '"name":"x"'))
    const damaged = readFileSync(path, 'utf8')
    await assert.rejects(open(), /is damaged at byte \d+/)
    assert.equal(readFileSync(path, 'utf8'), damaged)
    writeFileSync(path, good)
    appendFileSync(path, '0000')
    await (await open()).close()
    assert.deepEqual(readdirSync(folder), ['timetable'])
  })

  it('[P14] loses nothing that was answered when the disk refuses a write in its middle, and goes on by itself', async () => {
    const store = await open()
    await store.put([put('a')], 'add')
    const appendFile = await refuseOneWrite(join(folder, 'other'))
    const names = Array.from({ length: 20 }, (_, n) => `e${n}`)
    const told = await Promise.allSettled(
      names.map(async (name, n) => {
        // Some come while the first write is under way, some while the file is read again.
        for (let turn = 0; turn < n; turn += 1) await new Promise(setImmediate)
        return store.put([put(name)], 'add')
      }),
    )
    assert.ok(appendFile.refused)
    const answered = names.filter((_, n) => told[n]?.status === 'fulfilled')
    const refused = told.flatMap((each) => (each.status === 'rejected' ? [each.reason.code] : []))
    assert.ok(refused.length > 0 && refused.every((code) => code === 'STORE_UNAVAILABLE'), refused.join())
    await store.put([put('last')], 'add')
    for (const name of [...answered, 'a', 'last']) assert.ok(await store.show(name), `${name} in memory`)
    await store.close()
    const again = await open()
    for (const name of [...answered, 'a', 'last']) assert.ok(await again.show(name), `${name} on the disk`)
    await again.close()
  })

  it('[P23] is written anew before it grows without bound, also when its process is often started again', async () => {
    const path = join(folder, 'timetable')
    const spec = JSON.stringify('x'.repeat(50_000))
    for (let life = 0; life < 5; life += 1) {
      const store = await open()
      for (let n = 0; n < 25; n += 1) await rewrite(store, { ...put('a'), spec })
      await store.close()
    }
    assert.ok(readFileSync(path).length < 2_500_000, `${readFileSync(path).length} bytes`)
  })

  it('[P23] is written anew before it grows without bound', async () => {
    const path = join(folder, 'timetable')
    const store = await open()
    const spec = JSON.stringify('x'.repeat(50_000))
    for (let n = 0; n < 100; n += 1) await rewrite(store, { ...put('a'), spec })
    await store.alter('a', { to: 'paused', why: 'at the end' })
    assert.ok(readFileSync(path).length < 2_000_000, `${readFileSync(path).length} bytes`)
    await store.close()
    const again = await open()
    assert.equal((await again.show('a'))?.pausedWhy, 'at the end')
    await again.close()
  })
})

/** Adds an entry, or changes it. */
async function rewrite(store: ScheduleStore, put: EntryPut): Promise<void> {
  const row = await store.show(put.name)
  const over = row && { revision: row.revision, from: row.nominal, at: await store.now(), dropped: [], due: null }
  const [outcome] = await store.put([over ? { ...put, over } : put], row ? 'change' : 'add')
  assert.equal(outcome, row ? 'changed' : 'created')
}

/** A disk that is full for one write: half of it arrives. */
async function refuseOneWrite(path: string): Promise<{ readonly refused: boolean }> {
  const file = await openFile(path, 'a')
  const handles = Object.getPrototypeOf(file) as FileHandle
  await file.close()
  const { appendFile } = handles
  const told = { refused: false }
  handles.appendFile = async function (this: FileHandle, text: string) {
    handles.appendFile = appendFile
    await appendFile.call(this, text.slice(0, text.length / 2))
    told.refused = true
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
  } as FileHandle['appendFile']
  return told
}

async function killed(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}
