import assert from 'node:assert/strict'
import { rowsMatching } from '../../src/cli/key-pattern.js'

const row = (key: string, label: string, app = 'shop') => ({ app, key, label })
const SEVEN = row('feeds.refresh:7a07', 'feeds.refresh feedId=7')
const EIGHT = row('feeds.refresh:7b08', 'feeds.refresh feedId=8')
const ROLLUP = row('rollup.hourly:c0', 'rollup.hourly')
const ALL = [SEVEN, EIGHT, ROLLUP]

describe('KEY on the command line', () => {
  const cases: [string, (typeof SEVEN)[]][] = [
    ['feeds.refresh:7a07', [SEVEN]],
    ['feeds.refresh:7a', [SEVEN]],
    ['feeds.refresh feedId=8', [EIGHT]],
    ['rollup', [ROLLUP]],
    ['feeds.*', [SEVEN, EIGHT]],
    ['*feedId=?', [SEVEN, EIGHT]],
    ['*', ALL],
    ['nothing', []],
    ['feeds.refresh?', []],
  ]
  for (const [pattern, expected] of cases) {
    it(`'${pattern}' means ${expected.length === 0 ? 'nothing' : expected.map((each) => each.label).join(', ')}`, () => {
      assert.deepEqual(rowsMatching(pattern, ALL), expected)
    })
  }

  it('takes brackets and dots as they are: labels have them', () => {
    const list = row('sum:0', 'sum args=[7]')
    assert.deepEqual(rowsMatching('sum args=[7]*', [list]), [list])
    assert.deepEqual(rowsMatching('sumXargs=[7]*', [list]), [])
  })

  it('keeps several holders of one key together', () => {
    const again = { ...SEVEN }
    assert.equal(rowsMatching('feeds.refresh:7a', [SEVEN, again]).length, 2)
  })

  it('prefers a whole key to a longer one that begins with it', () => {
    const short = row('a:1', 'a')
    assert.deepEqual(rowsMatching('a:1', [short, row('a:12', 'b')]), [short])
  })

  it('refuses a beginning that fits several keys, and names them', () => {
    assert.throws(
      () => rowsMatching('feeds', ALL),
      /fits 2 keys \(feeds\.refresh:7a07, feeds\.refresh:7b08\).*'feeds\*'/,
    )
  })

  it('refuses a key that several apps have', () => {
    const other = row(SEVEN.key, SEVEN.label, 'stage')
    assert.throws(() => rowsMatching(SEVEN.key, [SEVEN, other]), /of the apps shop, stage; add --app/)
  })
})
