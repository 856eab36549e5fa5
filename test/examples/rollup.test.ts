import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Commit, type Counts, demo, type Totals } from './log-rollup.js'

interface Rollup {
  readTotals(file: string): Totals
  commitTotals(file: string, commit: Commit, counts: Counts): void
  readLines(file: string, from: number, pieces: number): Generator<{ text: string; to: number }>
  count(counts: Counts, text: string): number
}

const LINE = '10.20.0.10 - - [15/Jan/2026:09:00:00 +0000] "GET /news HTTP/1.1" 200 9400\n'
const CELL = '15/Jan/2026:09:00 /news 200'

describe('the demonstration’s rollup', () => {
  let folder: string
  let rollup: Rollup
  before(async () => {
    rollup = await demo<Rollup>('rollup.js')
  })
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'beatlock-rollup-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('leaves a line that is only half written for the next run', () => {
    const log = join(folder, 'access.log')
    writeFileSync(log, LINE + LINE + LINE.slice(0, 30))
    assert.equal(read(log, 0), LINE + LINE)
    appendFileSync(log, LINE.slice(30))
    assert.equal(read(log, 2 * LINE.length), LINE)
    assert.equal(read(log, 3 * LINE.length), '')
  })

  it('reads each line once, in pieces that end with a line', () => {
    const log = join(folder, 'access.log')
    writeFileSync(log, LINE.repeat(1000))
    const pieces = [...rollup.readLines(log, 0, 25)]
    assert.equal(pieces.map(({ text }) => text).join(''), LINE.repeat(1000))
    assert.ok(pieces.every(({ text, to }) => text.endsWith('\n') && to % LINE.length === 0))
    assert.ok(pieces.length >= 24 && pieces.length <= 26)
  })

  it('counts what is no log line apart, so that nothing goes missing silently', () => {
    const counts: Counts = {}
    assert.equal(rollup.count(counts, `${LINE}what is this\n${LINE}`), 3)
    assert.deepEqual(counts, { [CELL]: 2, unreadable: 1 })
  })

  it('adds to the totals that are stored at the commit: two runs over the same lines count them twice', () => {
    const file = join(folder, 'totals.json')
    rollup.commitTotals(file, { id: 'a', from: 0, to: 10, lines: 2 }, { [CELL]: 2 })
    rollup.commitTotals(file, { id: 'b', from: 0, to: 20, lines: 5 }, { [CELL]: 4, other: 1 })
    const { offset, counts, commits } = rollup.readTotals(file)
    assert.deepEqual(
      { offset, counts, ids: commits.map(({ id }) => id) },
      {
        offset: 20,
        counts: { [CELL]: 6, other: 1 },
        ids: ['a', 'b'],
      },
    )
    assert.deepEqual(readdirSync(folder), ['totals.json'])
  })

  function read(log: string, from: number): string {
    return [...rollup.readLines(log, from, 3)].map(({ text }) => text).join('')
  }
})
