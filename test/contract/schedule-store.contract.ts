import assert from 'node:assert/strict'
import { putOver } from '../../src/beat/changeover.js'
import type {
  BeatReport,
  Decision,
  EntryPut,
  EntryRow,
  Over,
  ReserveRequest,
  ScheduleStore,
} from '../../src/beat/schedule-store.js'
import type { TestKit } from './kit.js'

/** One test's schedule store, of an app name that nobody used before. */
export interface ScheduleStoreBench {
  readonly app: string
  readonly store: ScheduleStore
  /** Lets at least this much of the store's time pass. */
  advanceTime(ms: number): Promise<void>
  /** One more instance on the same server; the same app unless named. */
  another(app?: string): Promise<ScheduleStore>
  /** Destroys what the test wrote and closes every instance. */
  close(): Promise<void>
}

export type OpenScheduleStore = () => Promise<ScheduleStoreBench>

type BenchTest = (title: string, body: (bench: ScheduleStoreBench) => Promise<void>) => void

const ENTRY = 'rollup.hourly'
const CLAIM_MS = 300

/** What every schedule store must do. `open` is called once a test. */
export function scheduleStoreContract(kit: TestKit, open: OpenScheduleStore): void {
  const test: BenchTest = (title, body) => {
    kit.it(title, async () => {
      const bench = await open()
      try {
        await body(bench)
      } finally {
        await bench.close()
      }
    })
  }
  kit.describe('schedule store contract', () => {
    entries(test)
    changes(test)
    claims(test)
    decisions(test)
    passing(test)
    bounds(test)
    beats(test)
    editions(test)
    end(test)
  })
}

function entries(test: BenchTest): void {
  test("a new entry's cursor starts at the store's now and stays there", async ({ store, advanceTime }) => {
    const before = await store.now()
    const row = await fresh(store)
    assert.ok(row.nominal >= before && row.nominal <= (await store.now()))
    assert.deepEqual({ ...row, nominal: 0, createdAt: 0, changedAt: 0, revision: 0 }, PLAIN)
    await advanceTime(20)
    assert.deepEqual(await store.show(ENTRY), row)
    assert.equal(await store.show('nobody'), null)
  })

  test('entries are put each for itself, under any name', async ({ store }) => {
    const names = ['b', 'ü "quoted" 🦉', "it's", 'a|b {c}']
    assert.deepEqual(
      await store.put(
        names.map((name) => put(name)),
        'add',
      ),
      ['created', 'created', 'created', 'created'],
    )
    assert.deepEqual(await store.put([put('c'), put('b')], 'add'), ['created', 'exists'])
    const over = await overOf(store, 'b')
    assert.deepEqual(await store.put([put('d'), { ...put('b', 'other'), over }], 'change'), ['missing', 'changed'])
    assert.deepEqual(
      (await store.changes(0, 100)).rows.map((row) => row.name),
      [...names.slice(1), 'c', 'b'],
      'in the order of their last change',
    )
    assert.deepEqual(await store.put([], 'merge'), [])
  })

  test('two beats that merge the same configuration at once make each entry once', async ({ store, another }) => {
    const other = await another()
    const config = Array.from({ length: 30 }, (_, n) => ({ ...put(`e${n}`), config: 'c1' }))
    const answers = await Promise.all([store.put(config, 'merge'), other.put([...config].reverse(), 'merge')])
    assert.deepEqual([...new Set(answers.flat())].sort(), ['created', 'kept'])
    assert.equal(answers.flat().filter((each) => each === 'created').length, 30)
    assert.equal((await store.changes(0, 100)).rows.length, 30)
  })

  test('a merge leaves what was changed at run time, until the configuration itself changes', async ({ store }) => {
    const config = { ...put(ENTRY), config: 'c1' }
    await store.put([config], 'merge')
    await change(store, put(ENTRY, 'by hand'))
    assert.deepEqual(await store.put([config], 'merge'), ['kept'])
    assert.equal((await store.show(ENTRY))?.spec, '"by hand"')
    const over = await overOf(store)
    assert.deepEqual(await store.put([{ ...put(ENTRY, 'new'), config: 'c2', over }], 'merge'), ['changed'])
    const row = await store.show(ENTRY)
    assert.deepEqual([row?.spec, row?.config], ['"new"', 'c2'])
  })

  test('a change is not retroactive, and keeps whether the entry is paused', async (bench) => {
    const { store } = bench
    const before = await fresh(store)
    await store.alter(ENTRY, { to: 'paused', why: null })
    await bench.advanceTime(50)
    await change(store, put(ENTRY, 'other'))
    const row = await store.show(ENTRY)
    assert.ok(row && row.nominal >= before.nominal + 50)
    assert.equal(row.state, 'paused')
  })

  test('of changes made on one reading the first stands, the others are told to read again', async ({
    store,
    another,
  }) => {
    const other = await another()
    await fresh(store)
    const over = await overOf(store)
    const changes = ['a', 'b', 'c', 'd'].map((spec, n) =>
      (n % 2 === 0 ? store : other).put([{ ...put(ENTRY, spec), over }], 'change'),
    )
    const outcomes = (await Promise.all(changes)).flat()
    assert.deepEqual(outcomes.toSorted(), ['changed', 'moved', 'moved', 'moved'])
    assert.equal((await store.show(ENTRY))?.spec, `"${'abcd'[outcomes.indexOf('changed')]}"`)
    await store.alter(ENTRY, { to: 'paused', why: null })
    assert.deepEqual(await store.put([{ ...put(ENTRY, 'e'), over }], 'change'), ['moved'])
    assert.deepEqual(await store.put([{ ...put(ENTRY, 'e'), config: 'c1', over }], 'merge'), ['moved'])
    assert.deepEqual(await store.put([{ ...put(ENTRY, 'e'), config: 'c1' }], 'merge'), ['moved'], 'it took it for new')
  })

  test('changes that are made at once all stand, each made on what the others made', async ({ store, another }) => {
    const stores = [store, await another()]
    await fresh(store)
    const fields = ['a', 'b', 'c', 'd', 'e', 'f']
    const make = (field: string) => (row: EntryRow | null) => ({
      ...put(ENTRY),
      spec: JSON.stringify({ ...JSON.parse(row?.spec ?? '{}'), [field]: true }),
    })
    await Promise.all(
      fields.map((field, n) =>
        putOver(stores[n % 2] ?? store, ENTRY, { how: 'change', make: make(field), ruleOf: () => undefined }),
      ),
    )
    assert.deepEqual(Object.keys(JSON.parse((await store.show(ENTRY))?.spec ?? '{}')).toSorted(), fields)
  })

  test('[P14] a change leaves no slot of the old rule undecided: the newest to be taken over, the others missed', async (bench) => {
    const { store } = bench
    const { nominal: start } = await fresh(store)
    await bench.advanceTime(50)
    const dropped = [
      { decision: 'paused', slots: 2, latest: start + 10 },
      { decision: 'missed', slots: 3, latest: start + 20 },
    ] as const
    const over = { ...(await overOf(store)), at: start + 40, dropped, due: start + 30 }
    assert.deepEqual(await store.put([{ ...put(ENTRY, 'other'), over }], 'change'), ['changed'])
    const row = await store.show(ENTRY)
    assert.ok(row?.claim)
    assert.deepEqual([row.nominal, row.claim.nominal, row.counts], [start + 40, start + 30, { paused: 2, missed: 3 }])
    const taking = { entry: ENTRY, term: row.claim.term, by: 'b1', claimMs: CLAIM_MS }
    const taken = await store.takeOver(taking)
    assert.ok(taken.outcome === 'reserved', 'at once')
    const second = { ...(await overOf(store)), at: start + 45, due: start + 42 }
    assert.deepEqual(
      await store.put([{ ...put(ENTRY, 'third'), over: second }], 'change'),
      ['moved'],
      'one claim at a time',
    )
    await store.decide(decisionOn(start + 30, taken.claim.term))
    const after = await store.show(ENTRY)
    assert.deepEqual(
      [after?.nominal, after?.claim, after?.counts],
      [start + 40, null, { paused: 2, missed: 3, published: 1 }],
    )
    const last = { ...(await overOf(store)), due: start + 42 }
    const bounded = { ...put(ENTRY, 'last'), maxRuns: 1, over: last }
    assert.deepEqual(await store.put([bounded], 'change'), ['moved'], 'it is finished: nothing more is to run')
  })

  test('[P14] a slot that is claimed while its entry is being changed is claimed, and the change made on what is left', async ({
    store,
  }) => {
    const row = await fresh(store)
    const over = await overOf(store)
    const claim = await store.reserve(slotAfter(row))
    assert.ok(claim.outcome === 'reserved')
    assert.deepEqual(await store.put([{ ...put(ENTRY, 'other'), over }], 'change'), ['moved'])
    assert.deepEqual((await store.show(ENTRY))?.claim, claim.claim)
    await change(store, put(ENTRY, 'other'))
    assert.deepEqual((await store.show(ENTRY))?.claim, claim.claim, 'it goes on')
  })

  test('[P14] slots that are due when their entry is disabled are decided with it, if it is as it was read', async (bench) => {
    const { store } = bench
    const { nominal: start } = await fresh(store)
    const { due: _, ...read } = await overOf(store)
    await store.alter(ENTRY, { to: 'paused', why: null })
    const dropped = [{ decision: 'missed', slots: 3, latest: start + 20 }] as const
    const stale = await store.alter(ENTRY, { to: 'disabled', over: { ...read, dropped } })
    assert.deepEqual([stale?.state, stale?.counts], ['paused', {}])
    const { due: __, ...over } = await overOf(store)
    const off = await store.alter(ENTRY, { to: 'disabled', over: { ...over, at: start + 30, dropped } })
    assert.deepEqual([off?.state, off?.nominal, off?.pausedAt], ['disabled', start + 30, null])
    assert.deepEqual((await store.show(ENTRY))?.counts, { missed: 3 })
  })

  test('pause and resume, disable and enable, ask for a run', async (bench) => {
    const { store } = bench
    const start = await fresh(store)
    const paused = await store.alter(ENTRY, { to: 'paused', why: 'too loud' })
    assert.ok(paused?.pausedAt)
    assert.deepEqual([paused.state, paused.pausedWhy, paused.nominal], ['paused', 'too loud', start.nominal])
    assert.ok(paused.revision > start.revision)
    await bench.advanceTime(30)
    const back = await store.alter(ENTRY, { to: 'resumed', from: 'pausedAt' })
    assert.deepEqual(
      [back?.state, back?.pausedAt, back?.resumedAt, back?.nominal],
      ['active', null, null, start.nominal],
    )
    await store.alter(ENTRY, { to: 'paused', why: null })
    const on = await store.alter(ENTRY, { to: 'resumed', from: 'now' })
    assert.ok(on?.resumedAt && on.resumedAt >= start.nominal + 30)
    const off = await store.alter(ENTRY, { to: 'disabled' })
    assert.deepEqual([off?.state, off?.resumedAt], ['disabled', null])
    assert.equal((await store.alter(ENTRY, { to: 'paused', why: null }))?.state, 'disabled', 'nothing to pause')
    const enabled = await store.alter(ENTRY, { to: 'enabled' })
    assert.equal(enabled?.state, 'active')
    assert.ok(enabled.nominal >= start.nominal + 30, 'it begins anew')
    assert.equal((await store.alter(ENTRY, { to: 'enabled' }))?.revision, enabled.revision, 'nothing changed')
    const asked = await store.alter(ENTRY, { to: 'asked' })
    assert.ok(asked?.askedAt && asked.askedAt >= enabled.nominal)
    assert.equal(await store.alter('nobody', { to: 'asked' }), null)
  })

  test('a removed entry is gone, its beats hear of it, and another may take its name', async (bench) => {
    const { store } = bench
    const { revision } = await fresh(store)
    const claim = await store.reserve(slotAfter(await fresh(store)))
    assert.ok(claim.outcome === 'reserved')
    assert.equal(await store.alter(ENTRY, { to: 'removed', config: 'of another' }), null)
    assert.equal((await store.alter(ENTRY, { to: 'removed', config: null }))?.state, 'removed')
    assert.equal(await store.show(ENTRY), null)
    assert.equal(await store.alter(ENTRY, { to: 'enabled' }), null)
    const { rows } = await store.changes(revision, 10)
    assert.deepEqual(
      rows.map(({ name, state }) => [name, state]),
      [[ENTRY, 'removed']],
    )
    await store.decide(decisionOn(claim.claim.nominal, claim.claim.term))
    assert.deepEqual(await store.history(ENTRY, 10), [])
    await bench.advanceTime(20)
    const again = await fresh(store)
    assert.deepEqual([again.state, again.claim, again.runs], ['active', null, 0])
    assert.ok(again.nominal > claim.claim.nominal - 1_000)
    const next = await store.reserve(slotAfter(again))
    assert.ok(next.outcome === 'reserved' && next.claim.term > claim.claim.term, 'an old claim is never a present one')
  })
}

function changes(test: BenchTest): void {
  test('what changed since a revision is told in pages, each entry once, claims and decisions not at all', async (bench) => {
    const { store } = bench
    await store.put(
      Array.from({ length: 25 }, (_, n) => put(`e${n}`)),
      'add',
    )
    const seen = new Set<string>()
    let after = 0
    for (;;) {
      const { rows } = await store.changes(after, 10)
      for (const { name } of rows) {
        assert.ok(!seen.has(name))
        seen.add(name)
      }
      const last = rows.at(-1)
      if (!last) break
      after = last.revision
    }
    assert.equal(seen.size, 25)
    const row = await store.show('e3')
    assert.ok(row)
    const answer = await store.reserve(slotAfter(row))
    assert.ok(answer.outcome === 'reserved')
    await store.decide({ ...decisionOn(answer.claim.nominal, answer.claim.term), entry: 'e3' })
    assert.deepEqual((await store.changes(after, 10)).rows, [])
    await store.alter('e7', { to: 'disabled' })
    const { revision, rows } = await store.changes(after, 10)
    assert.deepEqual(
      rows.map(({ name, state }) => [name, state]),
      [['e7', 'disabled']],
    )
    assert.equal(revision, rows[0]?.revision)
  })
}

function claims(test: BenchTest): void {
  test('[P14] a claimed slot moves the cursor and carries a term and a deadline', async ({ store }) => {
    const cursor = await fresh(store)
    const answer = await store.reserve(slotAfter(cursor))
    assert.ok(answer.outcome === 'reserved')
    const { deadline, ...claim } = answer.claim
    assert.deepEqual(claim, { nominal: cursor.nominal + 1_000, term: claim.term, by: 'b1' })
    assert.equal(deadline, answer.now + CLAIM_MS)
    const row = await store.show(ENTRY)
    assert.deepEqual([row?.nominal, row?.claim], [cursor.nominal + 1_000, answer.claim])
    assert.equal(answer.nominal, cursor.nominal + 1_000)
  })

  test('[P14] of many beats that claim a slot at once one gets it', async ({ store, another }) => {
    const stores = [store, await another(), await another()]
    const cursor = await fresh(store)
    const answers = await Promise.all(
      Array.from({ length: 9 }, (_, n) => stores[n % 3]?.reserve({ ...slotAfter(cursor), by: `b${n}` })),
    )
    const winners = answers.filter((answer) => answer?.outcome === 'reserved')
    assert.equal(winners.length, 1)
    for (const loser of answers.filter((answer) => answer?.outcome === 'moved')) {
      assert.equal(loser?.outcome === 'moved' && loser.cursor.nominal, cursor.nominal + 1_000)
    }
  })

  test('[P14] a claim that is asked for again after a lost reply is the same claim', async ({ store }) => {
    const cursor = await fresh(store)
    const first = await store.reserve(slotAfter(cursor))
    const again = await store.reserve(slotAfter(cursor))
    assert.ok(first.outcome === 'reserved' && again.outcome === 'reserved')
    assert.deepEqual(again.claim, first.claim)
  })

  test('[P14] a cursor read earlier claims nothing', async ({ store }) => {
    const cursor = await fresh(store)
    const first = await store.reserve(slotAfter(cursor))
    assert.ok(first.outcome === 'reserved')
    await store.decide(decisionOn(first.claim.nominal, first.claim.term))
    const late = await store.reserve({ ...slotAfter(cursor), by: 'b2', nominal: cursor.nominal + 2_000 })
    assert.ok(late.outcome === 'moved')
    assert.equal(late.cursor.nominal, first.claim.nominal)
  })

  test('[P14] an open claim stops the next slot until it is decided', async ({ store }) => {
    const cursor = await fresh(store)
    const first = await store.reserve(slotAfter(cursor))
    assert.ok(first.outcome === 'reserved')
    const next = slotAfter({ ...cursor, nominal: first.claim.nominal })
    const blocked = await store.reserve({ ...next, by: 'b2' })
    assert.ok(blocked.outcome === 'moved')
    assert.deepEqual(blocked.cursor.claim, first.claim)
    await store.decide(decisionOn(first.claim.nominal, first.claim.term))
    const second = await store.reserve({ ...next, by: 'b2' })
    assert.ok(second.outcome === 'reserved')
    assert.ok(second.claim.term > first.claim.term)
  })

  test('[P14] a claim whose beat died is finished by the next one, under a higher term', async (bench) => {
    const { store } = bench
    const first = await store.reserve(slotAfter(await fresh(store)))
    assert.ok(first.outcome === 'reserved')
    const { term, nominal } = first.claim
    const taking = { entry: ENTRY, term, by: 'b2', claimMs: CLAIM_MS }
    const early = await store.takeOver(taking)
    assert.ok(early.outcome === 'moved', 'not before its deadline')
    assert.deepEqual(early.cursor.claim, first.claim)
    await bench.advanceTime(CLAIM_MS + 20)
    const taken = await store.takeOver(taking)
    assert.ok(taken.outcome === 'reserved')
    assert.equal(taken.claim.nominal, nominal)
    assert.equal(taken.claim.by, 'b2')
    assert.ok(taken.claim.term > term)
    assert.equal((await store.takeOver({ ...taking, by: 'b3' })).outcome, 'moved', 'the term has moved on')
  })

  test('[P14] an undecided slot is never passed, also after its deadline', async (bench) => {
    const first = await bench.store.reserve(slotAfter(await fresh(bench.store)))
    assert.ok(first.outcome === 'reserved')
    await bench.advanceTime(CLAIM_MS + 20)
    const { nominal } = first.claim
    const row = await bench.store.show(ENTRY)
    assert.ok(row)
    const next = { ...slotAfter({ ...row, nominal }), by: 'b2' }
    const answer = await bench.store.reserve(next)
    assert.ok(answer.outcome === 'moved')
    assert.equal(answer.cursor.claim?.nominal, nominal)
  })

  test('[P14] of many beats that take over a dead claim one gets it', async (bench) => {
    const stores = [bench.store, await bench.another(), await bench.another()]
    const first = await bench.store.reserve(slotAfter(await fresh(bench.store)))
    assert.ok(first.outcome === 'reserved')
    await bench.advanceTime(CLAIM_MS + 20)
    const { term } = first.claim
    const answers = await Promise.all(
      stores.map((store, n) => store.takeOver({ entry: ENTRY, term, by: `t${n}`, claimMs: 5_000 })),
    )
    assert.deepEqual(answers.map((answer) => answer.outcome).sort(), ['moved', 'moved', 'reserved'])
  })

  test('entries do not meet', async ({ store }) => {
    await store.put([put('a'), put('b')], 'add')
    const [a, b] = [await store.show('a'), await store.show('b')]
    assert.ok(a && b)
    const answers = await Promise.all([store.reserve(slotAfter(a)), store.reserve(slotAfter(b))])
    assert.deepEqual(
      answers.map((answer) => answer.outcome),
      ['reserved', 'reserved'],
    )
  })

  test('[P14] a crowd of slots that two beats claim and decide at once: each slot by one, each answer its own', async (bench) => {
    const stores = [bench.store, await bench.another()] as const
    const names = Array.from({ length: 150 }, (_, n) => `e${n}`)
    await bench.store.put(
      names.map((name) => put(name)),
      'add',
    )
    const { rows } = await bench.store.changes(0, 200)
    await bench.store.alter('e7', { to: 'disabled' })
    const claimed = await Promise.all(
      stores.map((store, n) => Promise.all(rows.map((row) => store.reserve({ ...slotAfter(row), by: `b${n}` })))),
    )
    const decided = await Promise.all(
      rows.flatMap(({ name, nominal }, at) => {
        const answers = claimed.map((each) => each[at])
        const wanted = name === 'e7' ? ['changed', 'changed'] : ['moved', 'reserved']
        assert.deepEqual(answers.map((answer) => answer?.outcome).sort(), wanted, name)
        const winner = answers.find((answer) => answer?.outcome === 'reserved')
        if (winner?.outcome !== 'reserved') return []
        assert.equal(winner.nominal, nominal + 1_000)
        const decision = { ...decisionOn(winner.nominal, winner.claim.term), entry: name }
        return stores.map((store, n) => store.decide({ ...decision, holder: `b${n}` }))
      }),
    )
    for (const { entry, nominal, holder } of decided) {
      const history = await bench.store.history(entry, 10)
      assert.deepEqual(
        history.map((row) => [row.nominal, row.holder]),
        [[nominal, holder]],
      )
    }
  })

  test('[P14] a changed, paused or removed entry is not claimed by who has not heard of it', async ({ store }) => {
    const alterations = [
      () => change(store, put(ENTRY, 'other')),
      () => store.alter(ENTRY, { to: 'paused', why: null }),
      () => store.alter(ENTRY, { to: 'disabled' }),
      () => store.alter(ENTRY, { to: 'removed', config: null }),
    ]
    for (const alteration of alterations) {
      const row = await fresh(store)
      await alteration()
      assert.equal((await store.reserve(slotAfter(row))).outcome, 'changed')
      assert.equal((await store.pass({ ...slotAfter(row), to: row.nominal + 1 })).outcome, 'changed')
      await store.alter(ENTRY, { to: 'removed', config: null })
    }
    assert.equal((await store.takeOver({ entry: 'nobody', term: 1, by: 'b1', claimMs: 1 })).outcome, 'changed')
  })

  test('[P14] an asked run is claimed once, in any state, and moves no cursor', async ({ store }) => {
    const row = await fresh(store)
    await store.alter(ENTRY, { to: 'disabled' })
    const asked = await store.alter(ENTRY, { to: 'asked' })
    assert.ok(asked?.askedAt)
    const request = { ...slotAfter(row), kind: 'asked', nominal: asked.askedAt } as const
    const first = await store.reserve(request)
    assert.ok(first.outcome === 'reserved')
    assert.deepEqual([first.nominal, first.claim.nominal], [row.nominal, asked.askedAt])
    const again = await store.reserve(request)
    assert.deepEqual(again.outcome === 'reserved' && again.claim, first.claim)
    assert.equal((await store.reserve({ ...request, by: 'b2' })).outcome, 'moved')
    await store.decide(decisionOn(asked.askedAt, first.claim.term))
    assert.equal((await store.reserve({ ...request, by: 'b2' })).outcome, 'moved', 'it was asked for once')
    const after = await store.show(ENTRY)
    assert.deepEqual([after?.nominal, after?.claim, after?.askedAt], [row.nominal, null, null])
  })

  test('[P14] a takeover that is asked for again after a lost reply is the same claim', async (bench) => {
    const first = await bench.store.reserve(slotAfter(await fresh(bench.store)))
    assert.ok(first.outcome === 'reserved')
    await bench.advanceTime(CLAIM_MS + 20)
    const taking = { entry: ENTRY, term: first.claim.term, by: 'b2', claimMs: 5_000 }
    const taken = await bench.store.takeOver(taking)
    const again = await bench.store.takeOver(taking)
    assert.ok(taken.outcome === 'reserved' && again.outcome === 'reserved')
    assert.deepEqual(again.claim, taken.claim)
  })
}

function decisions(test: BenchTest): void {
  test('[P14] the first decision of a slot stands and closes the claim', async ({ store }) => {
    const first = await store.reserve(slotAfter(await fresh(store)))
    assert.ok(first.outcome === 'reserved')
    const { nominal, term } = first.claim
    const skipped = { ...decisionOn(nominal, term), decision: 'skipped', holder: 'm-7' } as const
    const { at, ...written } = await store.decide(skipped)
    assert.deepEqual(written, skipped)
    assert.ok(at >= first.now)
    assert.deepEqual(await store.decide(decisionOn(nominal, term + 1)), { at, ...written })
    const row = await store.show(ENTRY)
    assert.deepEqual([row?.claim, row?.nominal], [null, nominal])
    assert.deepEqual([row?.counts, row?.last], [{ skipped: 1 }, { nominal, decision: 'skipped' }])
    assert.deepEqual(await store.history(ENTRY, 5), [{ at, ...written }])
  })

  test('[P14] a beat that lost its claim closes nothing', async (bench) => {
    const { store } = bench
    const first = await store.reserve(slotAfter(await fresh(store)))
    assert.ok(first.outcome === 'reserved')
    await bench.advanceTime(CLAIM_MS + 20)
    const taken = await store.takeOver({ entry: ENTRY, term: first.claim.term, by: 'b2', claimMs: 5_000 })
    assert.ok(taken.outcome === 'reserved')
    await store.decide(decisionOn(first.claim.nominal, first.claim.term))
    assert.deepEqual((await store.show(ENTRY))?.claim, taken.claim)
    const inForce = await store.decide(decisionOn(first.claim.nominal, taken.claim.term))
    assert.equal(inForce.term, first.claim.term, 'written under the earlier claim')
    assert.equal((await store.show(ENTRY))?.claim, null)
    assert.equal((await store.history(ENTRY, 10)).length, 1)
    assert.equal((await store.show(ENTRY))?.runs, 1)
  })

  test('[P16] dropped slots are one row, written with the claim that passes them', async ({ store }) => {
    const cursor = await fresh(store)
    const nominal = cursor.nominal + 10_000
    const dropped = { decision: 'missed', slots: 9, latest: nominal - 1_000 } as const
    const request = { ...slotAfter(cursor), nominal, dropped: [dropped] }
    await store.reserve(request)
    await store.reserve(request)
    const rows = await store.history(ENTRY, 10)
    assert.deepEqual(
      rows.map(({ at, ...row }) => row),
      [{ entry: ENTRY, nominal: dropped.latest, decision: 'missed', holder: null, slots: 9, term: 0 }],
    )
    assert.deepEqual((await store.show(ENTRY))?.counts, { missed: 9 })
  })

  test('[P23] history tells the newest first and keeps a hundred, a quarter more at most; counts know all', async ({
    store,
  }) => {
    const first = await fresh(store)
    let cursor = first
    for (let n = 0; n < 140; n += 1) {
      const answer = await store.reserve(slotAfter(cursor))
      assert.ok(answer.outcome === 'reserved')
      await store.decide(decisionOn(answer.claim.nominal, answer.claim.term))
      cursor = { ...cursor, nominal: answer.claim.nominal }
    }
    const rows = await store.history(ENTRY, 1_000)
    assert.ok(rows.length >= 100 && rows.length <= 125, `${rows.length} kept`)
    assert.deepEqual(
      rows.map((row) => row.nominal),
      Array.from(rows, (_, n) => cursor.nominal - n * 1_000),
    )
    assert.equal((await store.history(ENTRY, 3)).length, 3)
    assert.deepEqual(await store.history('nobody', 3), [])
    assert.deepEqual((await store.show(ENTRY))?.counts, { published: 140 })
    // A beat that slept since it published, and wakes to write it down.
    await store.decide(decisionOn(first.nominal + 1_000, 1))
    assert.deepEqual((await store.show(ENTRY))?.counts, { published: 140 }, 'counted once')
  })

  test('[P14] a decision about an entry that was removed is not taken for one about its successor', async ({
    store,
  }) => {
    const first = await store.reserve(slotAfter(await fresh(store)))
    assert.ok(first.outcome === 'reserved')
    await store.alter(ENTRY, { to: 'removed', config: null })
    const [outcome] = await store.put([{ ...put(ENTRY), maxRuns: 1 }], 'add')
    assert.equal(outcome, 'created')
    await store.decide(decisionOn(first.claim.nominal, first.claim.term))
    const row = await store.show(ENTRY)
    assert.deepEqual([row?.state, row?.runs, row?.counts], ['active', 0, {}])
    assert.deepEqual(await store.history(ENTRY, 9), [])
  })
}

function passing(test: BenchTest): void {
  test('[P14] slots that nobody runs are passed without a claim, and counted', async ({ store }) => {
    const row = await fresh(store)
    await store.alter(ENTRY, { to: 'paused', why: null })
    const resumed = await store.alter(ENTRY, { to: 'resumed', from: 'now' })
    assert.ok(resumed?.resumedAt)
    const to = row.nominal + 5_000
    const dropped = [
      { decision: 'paused', slots: 2, latest: row.nominal + 2_000 },
      { decision: 'missed', slots: 3, latest: to },
    ] as const
    const request = { entry: ENTRY, revision: resumed.revision, from: row.nominal, to, dropped }
    const passed = await store.pass(request)
    assert.ok(passed.outcome === 'moved')
    assert.deepEqual(passed.cursor, { nominal: to, claim: null })
    await store.pass(request)
    const after = await store.show(ENTRY)
    assert.deepEqual([after?.counts, after?.resumedAt, after?.runs], [{ paused: 2, missed: 3 }, null, 0])
    assert.deepEqual(
      (await store.history(ENTRY, 9)).map(({ decision, slots }) => [decision, slots]),
      [
        ['missed', 3],
        ['paused', 2],
      ],
    )
  })
}

function bounds(test: BenchTest): void {
  test('maxRuns counts accepted slots, and ends the entry with the last of them', async ({ store }) => {
    await store.put([{ ...put(ENTRY), maxRuns: 2 }], 'add')
    const decisions = ['skipped', 'published', 'error', 'queued'] as const
    for (const decision of decisions) {
      const row = await store.show(ENTRY)
      assert.ok(row && row.state === 'active')
      const answer = await store.reserve(slotAfter(row))
      assert.ok(answer.outcome === 'reserved')
      await store.decide({ ...decisionOn(answer.claim.nominal, answer.claim.term), decision })
    }
    const row = await store.show(ENTRY)
    assert.ok(row)
    assert.deepEqual([row.state, row.runs], ['finished', 2])
    assert.deepEqual(row.counts, { skipped: 1, published: 1, error: 1, queued: 1 })
    assert.equal((await store.reserve(slotAfter(row))).outcome, 'changed')
    assert.equal((await store.alter(ENTRY, { to: 'enabled' }))?.state, 'finished')
    await change(store, { ...put(ENTRY, 'more'), maxRuns: 3 })
    assert.equal((await store.show(ENTRY))?.state, 'active')
  })

  test('the end of a pause brings no further run to an entry that had its last one in the pause', async ({ store }) => {
    await store.put([{ ...put(ENTRY), maxRuns: 1 }], 'add')
    const row = await store.show(ENTRY)
    assert.ok(row)
    const answer = await store.reserve(slotAfter(row))
    assert.ok(answer.outcome === 'reserved')
    await store.alter(ENTRY, { to: 'paused', why: null })
    await store.decide(decisionOn(answer.claim.nominal, answer.claim.term))
    const paused = await store.show(ENTRY)
    assert.deepEqual([paused?.state, paused?.runs], ['paused', 1])
    const back = await store.alter(ENTRY, { to: 'resumed', from: 'now' })
    assert.deepEqual([back?.state, back?.pausedAt], ['finished', null])
    assert.ok(back)
    assert.equal((await store.reserve(slotAfter(back))).outcome, 'changed')
  })
}

const REPORT: BeatReport = {
  name: 'beat1@db2',
  host: 'db2',
  pid: 7,
  startedAt: 1,
  edition: null,
  entries: 3,
  lagMs: null,
  lastTickAt: 5,
  nextAt: null,
}

function beats(test: BenchTest): void {
  test('one beat leads at a time; who stops hands over at once, who dies after its lease', async (bench) => {
    const { store } = bench
    const other = await bench.another()
    const lead = (by: string, leadMs: number | null = CLAIM_MS) => ({ by, report: null, leadMs })
    assert.equal((await store.attend(lead('b1'))).leader, 'b1')
    assert.equal((await other.attend(lead('b2'))).leader, 'b1')
    await store.leave('b1')
    assert.equal((await other.attend(lead('b2'))).leader, 'b2')
    assert.equal((await store.attend(lead('b1'))).leader, 'b2')
    await bench.advanceTime(CLAIM_MS + 20)
    assert.equal((await store.attend(lead('b1'))).leader, 'b1')
    assert.equal((await store.attend(lead('b1', null))).leader, null, 'given up')
    const both = await Promise.all([store.attend(lead('b1', 5_000)), other.attend(lead('b2', 5_000))])
    assert.equal(new Set(both.map(({ leader }) => leader)).size, 1)
  })

  test('a beat is listed with what it tells, until it leaves', async ({ store }) => {
    await store.attend({ by: 'b1', report: REPORT, leadMs: 5_000 })
    const { now, revision } = await store.attend({ by: 'b2', report: { ...REPORT, name: 'other' }, leadMs: 5_000 })
    assert.equal(revision, (await store.changes(0, 1)).revision)
    const rows = await store.beats()
    const [first] = rows.filter(({ by }) => by === 'b1')
    assert.ok(first && first.seenAt <= now && first.seenAt > now - 60_000)
    assert.deepEqual(first, { ...REPORT, by: 'b1', seenAt: first.seenAt, leader: true })
    assert.equal(rows.find(({ by }) => by === 'b2')?.leader, false)
    await store.leave('b1')
    assert.deepEqual(
      (await store.beats()).map(({ by }) => by),
      ['b2'],
    )
  })
}

function editions(test: BenchTest): void {
  const comes = (by: string, edition: string, superseded = false) => ({
    by,
    report: { ...REPORT, name: by, edition },
    superseded,
  })

  test('a configuration that was superseded comes back only when no beat of the one in force lives', async ({
    store,
    another,
  }) => {
    const other = await another()
    assert.equal(await store.adopt(comes('old1', 'A')), 'A')
    assert.equal(await other.adopt(comes('new1', 'B')), 'B', 'nobody has seen it: it is a new deploy')
    assert.equal(await store.adopt(comes('old2', 'A')), 'B', 'the old one is started again')
    assert.equal(await other.adopt(comes('new2', 'B')), 'B')
    await other.leave('new1')
    assert.equal(await store.adopt(comes('old2', 'A')), 'B')
    await other.leave('new2')
    assert.equal(await store.adopt(comes('old2', 'A')), 'A', 'it was rolled back')
    const { edition } = await store.attend({ by: 'old2', report: null, leadMs: null })
    assert.equal(edition, 'A')
    assert.equal(await other.adopt(comes('new3', 'B')), 'A', 'rolled forth again: not while the old ones live')
    await store.leave('old1')
    await store.leave('old2')
    assert.equal(await other.adopt(comes('new3', 'B')), 'B')
    assert.equal((await store.beats()).find(({ by }) => by === 'new3')?.edition, 'B')
  })

  test('a beat that was told that it is superseded is no new deploy for a store that has forgotten', async ({
    store,
  }) => {
    assert.equal(await store.adopt(comes('new', 'B')), 'B')
    assert.equal(await store.adopt(comes('old', 'A', true)), 'B')
    await store.leave('new')
    await store.leave('old')
    assert.equal(await store.adopt(comes('old', 'A', true)), 'A')
  })

  test('of two new configurations that come at once one is in force, and only its writes are taken', async ({
    store,
    another,
  }) => {
    const stores = [store, await another()]
    await Promise.all(stores.map((each, n) => each.adopt(comes(`b${n}`, `e${n}`))))
    const { edition } = await store.attend({ by: 'b0', report: null, leadMs: null })
    assert.ok(edition === 'e0' || edition === 'e1')
    const names = ['e0', 'e1']
    const outcomes = await Promise.all(
      names.map((name, n) => stores[n]?.put([{ ...put(name), config: 'c' }, put(`${name} too`)], 'merge', name)),
    )
    const loser = edition === 'e0' ? 1 : 0
    assert.deepEqual(outcomes[loser], ['superseded', 'superseded'])
    assert.deepEqual(outcomes[1 - loser], ['created', 'created'])
    const gone = { to: 'removed', config: 'c' } as const
    assert.equal(await store.alter(edition, { ...gone, edition: `e${loser}` }), null)
    assert.equal((await store.alter(edition, { ...gone, edition }))?.state, 'removed')
    assert.deepEqual(
      (await store.changes(0, 9)).rows.map(({ name }) => name),
      [`${edition} too`, edition],
    )
  })

  test('[P23] a hundred editions are remembered', async ({ store }) => {
    for (let n = 0; n <= 100; n += 1) await store.adopt(comes('b', `e${n}`))
    assert.equal(await store.adopt(comes('old', 'e100')), 'e100')
    assert.equal(await store.adopt(comes('old', 'e1')), 'e100')
    assert.equal(await store.adopt(comes('old', 'e0')), 'e0', 'forgotten, and so taken for new')
  })

  test('data that were lost and begin anew have another origin', async ({ store, advanceTime }) => {
    const attend = () => store.attend({ by: 'b1', report: null, leadMs: null })
    await store.adopt(comes('b1', 'A'))
    const { origin } = await attend()
    await store.adopt(comes('b1', 'B'))
    await store.put([put('x')], 'add')
    assert.equal((await attend()).origin, origin)
    await store.destroy()
    await advanceTime(2)
    const after = await attend()
    assert.notEqual(after.origin, origin)
    await store.adopt(comes('b1', 'A'))
    await store.put([put('x')], 'add')
    assert.notEqual((await attend()).origin, origin)
  })
}

function end(test: BenchTest): void {
  test("destroy forgets all of its app and nothing of another's", async (bench) => {
    const other = await bench.another(`${bench.app}-other`)
    try {
      const kept = await fresh(other)
      const answer = await bench.store.reserve(slotAfter(await fresh(bench.store)))
      assert.ok(answer.outcome === 'reserved')
      await bench.store.decide(decisionOn(answer.claim.nominal, answer.claim.term))
      await bench.store.attend({ by: 'b1', report: REPORT, leadMs: 5_000 })
      await bench.advanceTime(20)
      await bench.store.destroy()
      assert.deepEqual(await bench.store.history(ENTRY, 10), [])
      assert.deepEqual(await bench.store.beats(), [])
      assert.deepEqual(await bench.store.changes(0, 10), { revision: 0, rows: [] })
      assert.deepEqual(await other.show(ENTRY), kept)
    } finally {
      await other.destroy()
    }
  })
}

/** A new entry as it stands, its instants and revision aside. */
const PLAIN: EntryRow = {
  name: ENTRY,
  spec: '{}',
  config: null,
  state: 'active',
  pausedAt: null,
  pausedWhy: null,
  resumedAt: null,
  askedAt: null,
  maxRuns: null,
  runs: 0,
  counts: {},
  last: null,
  createdAt: 0,
  changedAt: 0,
  revision: 0,
  nominal: 0,
  claim: null,
}

function put(name: string, spec?: string): EntryPut {
  return { name, spec: spec === undefined ? '{}' : JSON.stringify(spec), config: null, maxRuns: null }
}

/** What a change is made over, as the entry is now; none of its slots is due. */
async function overOf(store: ScheduleStore, name = ENTRY): Promise<Over> {
  const at = await store.now()
  const row = await store.show(name)
  assert.ok(row)
  return { revision: row.revision, from: row.nominal, at, dropped: [], due: null }
}

async function change(store: ScheduleStore, to: EntryPut): Promise<void> {
  assert.deepEqual(await store.put([{ ...to, over: await overOf(store, to.name) }], 'change'), ['changed'])
}

async function fresh(store: ScheduleStore): Promise<EntryRow> {
  await store.put([put(ENTRY)], 'add')
  const row = await store.show(ENTRY)
  assert.ok(row)
  return row
}

/** The claim of the slot a second after the cursor. */
function slotAfter({ name, revision, nominal }: EntryRow): ReserveRequest {
  const slot = { entry: name, revision, from: nominal, nominal: nominal + 1_000, kind: 'slot' } as const
  return { ...slot, by: 'b1', claimMs: CLAIM_MS, dropped: [] }
}

function decisionOn(nominal: number, term: number): Omit<Decision, 'at'> {
  return { entry: ENTRY, nominal, decision: 'published', holder: null, slots: 1, term }
}
