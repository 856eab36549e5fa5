import assert from 'node:assert/strict'
import { LockTable } from '../../src/cli/lock-table.js'
import type { LockInfo } from '../../src/task-base/locks.js'

const KEY = `feeds.refresh:${'ab12'.repeat(8)}`
const ROW: LockInfo = {
  app: 'shop',
  key: KEY,
  task: 'feeds.refresh',
  label: 'feeds.refresh feedId=7',
  stage: 'running',
  holder: '01HX',
  token: 5,
  worker: 'w1@db2',
  acquiredAt: '2026-01-01T00:00:00.000Z',
  ageMs: 43_000,
  expiresAt: '2026-01-01T00:00:15.000Z',
  ttlMs: 12_300,
  alive: true,
  why: null,
  parked: 1,
  limit: 1,
}
const lines = (rows: LockInfo[], width?: number) =>
  new LockTable({ width, apps: 'one' }).lines(rows).trimEnd().split('\n')

describe('the table of locks', () => {
  it('has the label first, then stage, holder, worker, age and ttl', () => {
    const [header = '', row = ''] = lines([ROW])
    assert.match(header, /^LABEL +STAGE +HOLDER +WORKER +AGE +TTL +ALIVE +PARKED +KEY$/)
    assert.match(row, /^feeds\.refresh feedId=7 {2}running {2}01HX +w1@db2 {2}43 s {2}12\.3 s {2}yes +1 +feeds/)
  })

  it('cuts nothing where the output is piped', () => {
    const label = 'x'.repeat(300)
    const [, row = ''] = lines([{ ...ROW, label }])
    assert.ok(row.startsWith(`${label}  running`))
    assert.ok(row.endsWith(KEY))
  })

  it('cuts the label, and shortens the key to a usable beginning, to fit a terminal', () => {
    const [, row = ''] = lines([{ ...ROW, label: 'x'.repeat(300) }], 120)
    assert.equal(row.length, 120)
    assert.match(row, /^x+… +running/)
    assert.match(row, /feeds\.refresh:ab12ab12$/)
  })

  it('[P20] prints no control characters of a label', () => {
    const [, row = ''] = lines([{ ...ROW, label: 'red\u001b[31m\nforged' }])
    assert.match(row, /^red\\u\{1b\}\[31m\\u\{a\}forged/)
  })

  it('says why a holder is dead, and what is not known', () => {
    const [, dead, parked] = lines([
      { ...ROW, alive: false, why: 'no worker consumes reports', ttlMs: -2000 },
      {
        ...ROW,
        stage: null,
        holder: null,
        worker: null,
        ageMs: null,
        ttlMs: null,
        alive: null,
        why: 'only parked calls',
      },
    ])
    assert.match(dead ?? '', /over since 2 s +no \(no worker consumes reports\)/)
    assert.match(parked ?? '', /parked +- +- +- +- +\? \(only parked calls\)/)
  })

  it('prints its header once, and keeps its columns over several pieces', () => {
    const table = new LockTable({ width: undefined, apps: 'one' })
    const first = table.lines([ROW])
    const second = table.lines([{ ...ROW, label: 'a' }])
    assert.doesNotMatch(second, /LABEL/)
    assert.equal(second.indexOf('running'), first.split('\n')[1]?.indexOf('running'))
  })

  it('names the app where all apps are listed', () => {
    assert.match(new LockTable({ width: undefined, apps: 'all' }).lines([ROW]), /KEY +APP\n.* shop\n$/s)
  })
})
