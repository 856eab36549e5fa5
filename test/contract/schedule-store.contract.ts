import assert from 'node:assert/strict'
import type { Cursor, Decision, ReserveRequest, ScheduleStore } from '../../src/beat/schedule-store.js'
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
    cursors(test)
    claims(test)
    decisions(test)
    end(test)
  })
}

function cursors(test: BenchTest): void {
  test("a new entry's cursor starts at the store's now and stays there", async ({ store, advanceTime }) => {
    const before = await store.now()
    const [first] = await store.load([ENTRY])
    assert.ok(first && first.nominal >= before && first.nominal <= (await store.now()))
    assert.equal(first.claim, null)
    await advanceTime(20)
    assert.deepEqual(await store.load([ENTRY]), [first])
  })

  test('cursors are answered in the order asked, old and new together', async ({ store }) => {
    await store.load(['b', 'ü "quoted" 🦉'])
    const names = ['c', 'ü "quoted" 🦉', 'a', 'b']
    assert.deepEqual(
      (await store.load(names)).map((cursor) => cursor.entry),
      names,
    )
    assert.deepEqual(await store.load([]), [])
  })

  test('two beats that create a cursor at once read the same one', async ({ store, another }) => {
    const other = await another()
    const [one, two] = await Promise.all([store.load([ENTRY]), other.load([ENTRY])])
    assert.deepEqual(one, two)
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
    assert.deepEqual(await store.load([ENTRY]), [
      { entry: ENTRY, nominal: cursor.nominal + 1_000, claim: answer.claim },
    ])
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
    await store.decide(decisionOn(first.claim.nominal), first.claim.term)
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
    await store.decide(decisionOn(first.claim.nominal), first.claim.term)
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
    const next = { ...slotAfter({ entry: ENTRY, nominal, claim: null }), by: 'b2' }
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
    const [a, b] = await store.load(['a', 'b'])
    assert.ok(a && b)
    const answers = await Promise.all([store.reserve(slotAfter(a)), store.reserve(slotAfter(b))])
    assert.deepEqual(
      answers.map((answer) => answer.outcome),
      ['reserved', 'reserved'],
    )
  })
}

function decisions(test: BenchTest): void {
  test('[P14] the first decision of a slot stands and closes the claim', async ({ store }) => {
    const first = await store.reserve(slotAfter(await fresh(store)))
    assert.ok(first.outcome === 'reserved')
    const { nominal, term } = first.claim
    const skipped = { ...decisionOn(nominal), decision: 'skipped', holder: 'm-7' } as const
    const { at, ...written } = await store.decide(skipped, term)
    assert.deepEqual(written, skipped)
    assert.ok(at >= first.now)
    const second = await store.decide(decisionOn(nominal), term)
    assert.deepEqual(second, { at, ...written })
    assert.deepEqual(await store.load([ENTRY]), [{ entry: ENTRY, nominal, claim: null }])
  })

  test('[P14] a beat that lost its claim closes nothing', async (bench) => {
    const { store } = bench
    const first = await store.reserve(slotAfter(await fresh(store)))
    assert.ok(first.outcome === 'reserved')
    await bench.advanceTime(CLAIM_MS + 20)
    const taken = await store.takeOver({ entry: ENTRY, term: first.claim.term, by: 'b2', claimMs: 5_000 })
    assert.ok(taken.outcome === 'reserved')
    await store.decide(decisionOn(first.claim.nominal), first.claim.term)
    const [cursor] = await store.load([ENTRY])
    assert.deepEqual(cursor?.claim, taken.claim)
    await store.decide(decisionOn(first.claim.nominal), taken.claim.term)
    assert.equal((await store.load([ENTRY]))[0]?.claim, null)
    assert.equal((await store.history(ENTRY, 10)).length, 1)
  })

  test('[P16] dropped slots are one row, written with the claim that passes them', async ({ store }) => {
    const cursor = await fresh(store)
    const nominal = cursor.nominal + 10_000
    const missed = { slots: 9, latest: nominal - 1_000 }
    const request = { ...slotAfter(cursor), nominal, missed }
    await store.reserve(request)
    await store.reserve(request)
    const rows = await store.history(ENTRY, 10)
    assert.deepEqual(
      rows.map(({ at, ...row }) => row),
      [
        {
          entry: ENTRY,
          nominal: missed.latest,
          decision: 'missed',
          messageId: null,
          holder: null,
          slots: 9,
        },
      ],
    )
  })

  test('history tells the newest first and keeps at least a hundred', async ({ store }) => {
    let cursor = await fresh(store)
    for (let n = 0; n < 110; n += 1) {
      const answer = await store.reserve(slotAfter(cursor))
      assert.ok(answer.outcome === 'reserved')
      await store.decide(decisionOn(answer.claim.nominal), answer.claim.term)
      cursor = { ...cursor, nominal: answer.claim.nominal }
    }
    const rows = await store.history(ENTRY, 100)
    assert.equal(rows.length, 100)
    assert.deepEqual(
      rows.map((row) => row.nominal),
      Array.from({ length: 100 }, (_, n) => cursor.nominal - n * 1_000),
    )
    assert.equal((await store.history(ENTRY, 3)).length, 3)
    assert.deepEqual(await store.history('nobody', 3), [])
  })
}

function end(test: BenchTest): void {
  test("destroy forgets all of its app and nothing of another's", async (bench) => {
    const other = await bench.another(`${bench.app}-other`)
    try {
      const kept = await other.load([ENTRY])
      const answer = await bench.store.reserve(slotAfter(await fresh(bench.store)))
      assert.ok(answer.outcome === 'reserved')
      await bench.store.decide(decisionOn(answer.claim.nominal), answer.claim.term)
      await bench.advanceTime(20)
      await bench.store.destroy()
      assert.deepEqual(await bench.store.history(ENTRY, 10), [])
      assert.equal((await fresh(bench.store)).claim, null)
      assert.deepEqual(await other.load([ENTRY]), kept)
    } finally {
      await other.destroy()
    }
  })
}

async function fresh(store: ScheduleStore): Promise<Cursor> {
  const [cursor] = await store.load([ENTRY])
  assert.ok(cursor)
  return cursor
}

/** The claim of the slot a second after the cursor. */
function slotAfter(cursor: Cursor): ReserveRequest {
  const { entry, nominal } = cursor
  return { entry, from: nominal, nominal: nominal + 1_000, by: 'b1', claimMs: CLAIM_MS, missed: null }
}

function decisionOn(nominal: number): Omit<Decision, 'at'> {
  return { entry: ENTRY, nominal, decision: 'published', messageId: `b-${nominal}`, holder: null, slots: 1 }
}
