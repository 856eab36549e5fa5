import assert from 'node:assert/strict'
import type { BodyLine } from './body-log.js'
import { type Ack, type Ending, type Evidence, violations } from './checker.js'

/** `at`, in ms, makes a line's instant. */
function line(token: number, event: BodyLine['event'], at: number, more: Partial<BodyLine> = {}): BodyLine {
  return {
    key: 'k',
    token,
    id: `m${token}`,
    attempt: 1,
    event,
    pid: token,
    parent: 100 + token,
    ns: ns(at),
    beside: [],
    ...more,
  }
}

function ack(token: number, outcome: Ack['outcome'], askedAt = 0): Ack {
  return { id: `m${token}`, key: 'k', outcome, askedNs: ns(askedAt) }
}

const ns = (ms: number): bigint => BigInt(ms) * 1_000_000n
const ran = (token: number): [string, Ending] => [`m${token}`, { outcome: 'ran', token }]
const sound: Evidence = {
  lines: [line(1, 'start', 10), line(1, 'tick', 15), line(1, 'end', 20), line(2, 'start', 30), line(2, 'end', 40)],
  acks: [ack(1, 'published'), ack(2, 'parked', 5)],
  endings: new Map([ran(1), ran(2)]),
  recorded: [],
  locks: [],
  limit: 1,
  struck: [],
}

const found = (change: Partial<Evidence>): string[] => violations({ ...sound, ...change })

describe('the checker of fault tests', () => {
  it('finds nothing wrong with runs in sequence', () => assert.deepEqual(violations(sound), []))

  it('[P2] finds bodies that overlap by their lines', () => {
    const [first, tick, end, ...rest] = sound.lines as [BodyLine, BodyLine, BodyLine, ...BodyLine[]]
    assert.match(found({ lines: [first, tick, ...rest, { ...end, ns: ns(35) }] })[0] ?? '', /token 2 ran beside 1/)
    assert.match(found({ lines: [first, ...rest, { ...tick, ns: ns(35) }] })[0] ?? '', /token 2 ran beside 1/)
  })

  it('[P2] finds a body that began while the process of another one ran, though that never wrote again', () => {
    const lines = [line(1, 'start', 10), line(2, 'start', 30, { beside: [1] }), line(2, 'end', 40)]
    const endings = new Map([ran(2), ['m1', { outcome: 'lock_lost', token: 1 }] as const])
    assert.deepEqual(found({ lines, endings }), ['key k: the body of token 2 began beside those of 1'])
  })

  it('[P2] lets a woken process run on for its dead-man’s wake-up, and no longer', () => {
    const late = (at: number): readonly BodyLine[] => [...sound.lines, line(1, 'tick', at)]
    assert.deepEqual(found({ lines: late(300), struck: [{ pid: 1, fromNs: ns(12), toNs: ns(100), goneNs: null }] }), [])
    assert.equal(
      found({ lines: late(380), struck: [{ pid: 1, fromNs: ns(12), toNs: ns(100), goneNs: null }] }).length,
      1,
    )
    assert.equal(
      found({ lines: late(300), struck: [{ pid: 2, fromNs: ns(12), toNs: ns(100), goneNs: null }] }).length,
      1,
    )
  })

  it('[P1] counts up to the limit', () => {
    const lines = [line(1, 'start', 10), line(2, 'start', 12, { beside: [1] }), line(1, 'end', 20), line(2, 'end', 22)]
    assert.deepEqual(found({ lines, limit: 2 }), [])
    const third = [line(3, 'start', 15, { beside: [1, 2] }), line(3, 'end', 18)]
    assert.equal(found({ lines: [...lines, ...third], limit: 2 }).length, 2)
  })

  it('[P3] finds a token that is not higher than the one before', () => {
    const lines = [line(2, 'start', 10), line(2, 'end', 20), line(1, 'start', 30), line(1, 'end', 40)]
    assert.deepEqual(found({ lines }), ['key k: token 1 began after token 2'])
    const again = [...sound.lines, line(2, 'start', 50)]
    assert.match(found({ lines: again }).join(), /token 2 began after token 2/)
  })

  it('[P10] finds an accepted call without an end', () => {
    assert.deepEqual(found({ endings: new Map([ran(1)]) }), ['parked call m2 has no recorded end'])
  })

  describe('[P13] finds a call that ran to its end and again', () => {
    const again = [line(3, 'start', 50, { id: 'm1' }), line(3, 'end', 60, { id: 'm1' })]
    const lines = [...sound.lines, ...again]
    const endings = new Map([...sound.endings, ['m1', { outcome: 'ran', token: 3 }] as const])
    const wrong = ['call m1 ran to its end under token 1 and again under 3']
    const struck = (pid: number, from: number, to: number | null, gone: number | null = null) => ({
      struck: [{ pid, fromNs: ns(from), toNs: to === null ? null : ns(to), goneNs: gone === null ? null : ns(gone) }],
    })
    const foundWith = (change: Partial<Evidence>): string[] => found({ lines, endings, ...change })

    it('unless a fault struck before that end was written down', () => {
      assert.deepEqual(foundWith({}), wrong)
      assert.deepEqual(foundWith(struck(101, 15, 45)), [], 'its parent was stopped when it ended')
      assert.deepEqual(foundWith(struck(1, 25, null)), [], 'it was killed after it had ended')
      assert.deepEqual(foundWith(struck(101, 12, 18)), wrong, 'its parent was awake in time')
      assert.deepEqual(foundWith(struck(101, 55, null)), wrong, 'too late to be the reason')
      assert.deepEqual(foundWith(struck(7, 15, 45)), wrong, 'another process')
    })

    it('unless it woke just before that end, and its dead-man killed it before it could tell', () => {
      assert.deepEqual(foundWith(struck(1, 12, 18, 25)), [])
      assert.deepEqual(foundWith(struck(1, 12, 18)), wrong, 'it lived on')
      assert.deepEqual(foundWith(struck(1, 12, 18, 280)), wrong, 'it lived for too long')
      assert.deepEqual(foundWith(struck(101, 12, 18, 25)), wrong, 'that was its parent')
    })

    it('whatever struck, if that end was written down', () => {
      const killed = struck(101, 25, null)
      assert.deepEqual(foundWith(killed), [])
      assert.deepEqual(foundWith({ ...killed, recorded: [{ id: 'm1', token: 1, ns: ns(22) }] }), wrong)
      assert.deepEqual(foundWith({ ...killed, recorded: [{ id: 'm1', token: 3, ns: ns(22) }] }), [])
      assert.deepEqual(foundWith({ ...killed, endings: sound.endings }), wrong, 'it is the outcome that is kept')
    })
  })

  it('[P10] finds a recorded run that no body made, and bodies of calls that were refused or coalesced', () => {
    const endings = new Map([ran(2), ['m1', { outcome: 'ran', token: 7 }] as const])
    assert.match(found({ endings })[0] ?? '', /recorded as ran under token 7/)
    assert.deepEqual(found({ acks: [ack(1, 'rejected')] }), ['call m1 was rejected and ran'])
    const coalesced = new Map([['m1', { outcome: 'coalesced', token: null }] as const])
    assert.deepEqual(found({ acks: [ack(1, 'coalesced')], endings: coalesced }), [
      'call m1 is recorded as coalesced and ran',
    ])
  })

  it('[P18] finds a deferred call that no later run covers, unless its end was recorded as revoked', () => {
    const acks = [ack(9, 'coalesced', 35)]
    const coalesced = new Map([['m9', { outcome: 'coalesced', token: null }] as const])
    assert.deepEqual(found({ acks, endings: coalesced }), ['coalesced call m9: no run of k began after it'])
    const expired = new Map([['m9', { outcome: 'expired', token: null }] as const])
    assert.deepEqual(found({ acks: [ack(9, 'parked', 35)], endings: expired }), [])
  })

  it('finds a lock that was left', () => assert.deepEqual(found({ locks: ['k'] }), ['key k is still locked']))
})
