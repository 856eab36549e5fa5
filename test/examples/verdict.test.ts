import assert from 'node:assert/strict'
import { type BodyRecord, type Commit, demo, type Totals } from './log-rollup.js'

interface Verdict {
  readonly overlap: 'allow' | 'skip' | 'defer'
  readonly runs: number
  readonly overlaps: number
  readonly maxDepth: number
  readonly skipped: number
  readonly deferred: number
  readonly lines: number
  readonly counted: number
  readonly countedTwice: number
  readonly notCounted: number
  readonly verdict: string
  readonly passed: boolean
}

interface Evidence {
  readonly overlap: Verdict['overlap']
  readonly log: string
  readonly totals: Totals
  readonly bodies: readonly BodyRecord[]
  readonly decisions: readonly { readonly decision: string; readonly slots: number }[]
}

const LINE = '10.20.0.10 - - [15/Jan/2026:09:00:00 +0000] "GET /news HTTP/1.1" 200 9400\n'
const CELL = '15/Jan/2026:09:00 /news 200'

describe('the demonstration’s verdict', () => {
  let judge: (evidence: Evidence) => Verdict
  before(async () => {
    judge = (await demo<{ judge: typeof judge }>('verdict.js')).judge
  })

  it('calls a guarded part exact when each line is committed once and no bodies overlapped', () => {
    const { verdict, passed, runs, maxDepth, lines, counted } = judge(evidence({}))
    assert.deepEqual(
      { verdict, passed, runs, maxDepth, lines, counted },
      { verdict: 'exact', passed: true, runs: 2, maxDepth: 1, lines: 4, counted: 4 },
    )
  })

  it('fails a guarded part that counted a line twice', () => {
    const { countedTwice, passed, verdict } = judge(evidence({ totals: totals([range(0, 3), range(1, 4)]) }))
    assert.deepEqual({ countedTwice, passed, verdict }, { countedTwice: 2, passed: false, verdict: 'wrong' })
  })

  it('fails a guarded part that missed a line', () => {
    const { notCounted, passed } = judge(evidence({ totals: totals([range(0, 3)]) }))
    assert.deepEqual({ notCounted, passed }, { notCounted: 1, passed: false })
  })

  it('fails a guarded part whose cells are not those of the log, though the sum is right', () => {
    const right = totals([range(0, 4)])
    assert.equal(judge(evidence({ totals: { ...right, counts: { [CELL]: 3, other: 1 } } })).passed, false)
  })

  it('fails a guarded part with exact totals whose bodies overlapped', () => {
    const bodies = [body('start', 'a', 1), body('start', 'b', 2), body('end', 'a', 3), body('end', 'b', 4)]
    const { overlaps, maxDepth, passed } = judge(evidence({ bodies }))
    assert.deepEqual({ overlaps, maxDepth, passed }, { overlaps: 1, maxDepth: 2, passed: false })
  })

  it('takes a body without an end for one that still runs', () => {
    assert.equal(judge(evidence({ bodies: [body('start', 'a', 1), body('start', 'b', 2)] })).maxDepth, 2)
  })

  it('ends a killed body at its kill, and counts its redelivery as another run', () => {
    const bodies = [body('start', 'a', 1), body('killed', 'a', 2), body('start', 'a', 3, 2), body('end', 'a', 4, 2)]
    const { runs, maxDepth, passed } = judge(evidence({ bodies }))
    assert.deepEqual({ runs, maxDepth, passed }, { runs: 2, maxDepth: 1, passed: true })
  })

  it('orders bodies by their clock, not by who wrote first', () => {
    const bodies = [body('start', 'b', 12), body('start', 'a', 1), body('end', 'a', 9), body('end', 'b', 14)]
    assert.equal(judge(evidence({ bodies })).maxDepth, 1)
  })

  it('does not fail an unguarded part, and says so when it was too short to show anything', () => {
    const twice = judge(evidence({ overlap: 'allow', totals: totals([range(0, 4), range(2, 4)]) }))
    assert.deepEqual([twice.verdict, twice.passed, twice.countedTwice], ['counted twice', true, 2])
    assert.deepEqual(judge(evidence({ overlap: 'allow' })).verdict, 'no overlap came about')
  })

  it('counts skipped slots, and as deferred those that were parked or coalesced', () => {
    const decisions = ['published', 'skipped', 'skipped', 'deferred', 'coalesced', 'missed'].map((decision) => ({
      decision,
      slots: 1,
    }))
    const { skipped, deferred } = judge(evidence({ decisions }))
    assert.deepEqual({ skipped, deferred }, { skipped: 2, deferred: 2 })
  })

  it('is shown as a table with a column a part, and concluded in words', async () => {
    const { table, conclusion } = await demo<{
      table(parts: readonly object[]): string
      conclusion(parts: readonly object[]): string
    }>('table.js')
    const unguarded = {
      ...judge(evidence({ overlap: 'allow', totals: totals([range(0, 4), range(2, 4)]) })),
      kill: undefined,
    }
    const kill = { pid: 1, requeuedMs: 12.4, restartedMs: null }
    const guarded = { ...judge(evidence({})), kill }
    const rows = table([unguarded, guarded])
      .split('\n')
      .map((row) => row.split(/ {2,}/).join('|'))
    assert.ok(rows.includes('counted twice|2|0'))
    assert.ok(rows.includes('kill -9 to key queued again|–|12 ms'))
    assert.ok(rows.includes('kill -9 to body again|–|not seen'))
    assert.match(conclusion([unguarded, guarded]), /2 lines too many \(50 %\)/)
    assert.match(conclusion([unguarded, { ...guarded, passed: false }]), /^FAILED: guarded: skip/)
  })
})

function evidence(changed: Partial<Evidence>): Evidence {
  const bodies = [body('start', 'a', 1), body('end', 'a', 2), body('start', 'b', 3), body('end', 'b', 4)]
  const right = totals([range(0, 2), range(2, 4)])
  return { overlap: 'skip', log: LINE.repeat(4), totals: right, bodies, decisions: [], ...changed }
}

function body(event: BodyRecord['event'], id: string, ns: number, attempt = 1): BodyRecord {
  return { event, id, attempt, pid: 100 + attempt, token: 1, key: 'k', ns: String(ns) }
}

/** A commit of the lines from the first up to the second. */
function range(first: number, second: number): Commit {
  return { id: 'm', from: first * LINE.length, to: second * LINE.length, lines: second - first }
}

function totals(commits: readonly Commit[]): Totals {
  const lines = commits.reduce((sum, each) => sum + each.lines, 0)
  return { offset: commits.at(-1)?.to ?? 0, counts: { [CELL]: lines }, commits }
}
