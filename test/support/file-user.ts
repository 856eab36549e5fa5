import { openScheduleStore } from '../../adapters/file/index.js'

/** Claims and decides slots as fast as it can, and tells how many have been answered, until it is killed. */
const store = await openScheduleStore({ app: 'shop', path: process.argv[2] ?? '' })
process.once('disconnect', () => process.exit(0))
await store.put([{ name: 'e', spec: '{}', config: null, maxRuns: null }], 'add')
for (;;) {
  const row = await store.show('e')
  if (!row) throw new Error('the entry is gone')
  const { revision, nominal: from, claim } = row
  const taken = claim
    ? { outcome: 'reserved' as const, claim }
    : await store.reserve({
        entry: 'e',
        revision,
        from,
        nominal: from + 1,
        kind: 'slot',
        by: 'b',
        claimMs: 1,
        dropped: [],
      })
  if (taken.outcome !== 'reserved') continue
  const { nominal, term } = taken.claim
  await store.decide({ entry: 'e', nominal, term, decision: 'published', holder: null, slots: 1 })
  const after = await store.show('e')
  process.send?.(after?.counts.published ?? 0)
}
