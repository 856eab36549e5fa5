import assert from 'node:assert/strict'
import { type BodyRecord, demo } from './log-rollup.js'

interface Moment {
  readonly title: string
  readonly elapsedMs: number
  readonly totalMs: number
  readonly bodies: readonly BodyRecord[]
  readonly decisions: readonly { readonly decision: string; readonly nominal: number; readonly holder: string | null }[]
  readonly ns: bigint
}

const SECOND = 1_000_000_000n
const SLOT = Date.UTC(2026, 0, 15, 9, 30, 5)
const SLOT_ID = `b-${'0f'.repeat(16)}-${SLOT}`

describe('the demonstration’s live line', () => {
  let progress: (moment: Moment) => string
  let midRun: (bodies: readonly BodyRecord[], of: { bodyMs: number; ns: bigint }) => BodyRecord | undefined
  before(async () => {
    progress = (await demo<{ progress: typeof progress }>('progress.js')).progress
    midRun = (await demo<{ midRun: typeof midRun }>('kill.js')).midRun
  })

  it('tells what runs, what was skipped and because of whom', () => {
    const decisions = [
      { decision: 'skipped', nominal: SLOT + 2000, holder: SLOT_ID },
      { decision: 'skipped', nominal: SLOT + 1000, holder: SLOT_ID },
      { decision: 'published', nominal: SLOT, holder: null },
    ]
    const line = progress(moment({ bodies: [start(SLOT_ID, 41, 0n)], decisions, ns: 2n * SECOND }))
    assert.equal(
      line,
      'guarded: skip 7/15 s · running 09:30:05 for 2.0 s in child 41 · skipped 09:30:07 because of 09:30:05 (2 so far)',
    )
  })

  it('names each of several bodies at once', () => {
    const bodies = [start('a', 41, 0n), start('b', 42, SECOND)]
    assert.match(
      progress(moment({ bodies, ns: 2n * SECOND })),
      /running 2 at once: a for 2.0 s in child 41, b for 1.0 s/,
    )
  })

  it('says when nothing runs', () => {
    const bodies = [start('a', 41, 0n), { ...start('a', 41, SECOND), event: 'end' as const }]
    assert.match(progress(moment({ bodies })), /nothing runs$/)
  })

  it('picks for the kill the one body that is in its second third', () => {
    const of = (ns: bigint) => ({ bodyMs: 3000, ns })
    const bodies = [start('a', 41, 0n)]
    assert.equal(midRun(bodies, of(SECOND / 2n)), undefined)
    assert.equal(midRun(bodies, of((3n * SECOND) / 2n))?.pid, 41)
    assert.equal(midRun(bodies, of((5n * SECOND) / 2n)), undefined)
    assert.equal(midRun([...bodies, start('b', 42, 0n)], of((3n * SECOND) / 2n)), undefined)
  })
})

function moment(changed: Partial<Moment>): Moment {
  return { title: 'guarded: skip', elapsedMs: 7100, totalMs: 15_000, bodies: [], decisions: [], ns: 0n, ...changed }
}

function start(id: string, pid: number, ns: bigint): BodyRecord {
  return { event: 'start', id, attempt: 1, pid, token: 1, key: 'k', ns: String(ns) }
}
