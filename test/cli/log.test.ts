import assert from 'node:assert/strict'
import { decisionText, slotText } from '../../src/cli/beat-log.js'
import { logLine } from '../../src/cli/log.js'
import { runsText } from '../../src/cli/run-follower.js'

const ONE = Date.UTC(2026, 10, 21, 1)
const TIME = '2026-11-21T06:00:00.000Z'

describe('the log of worker and beat', () => {
  it('writes a readable line with the key', () => {
    const line = logLine({ time: TIME, level: 30, msg: 'ran feeds.refresh [01HX] in 43 ms', key: 'feeds.refresh:ab' })
    assert.equal(line, `${TIME} INFO  ran feeds.refresh [01HX] in 43 ms key=feeds.refresh:ab\n`)
  })

  it('[P20] keeps a label from forging a line', () => {
    assert.equal(logLine({ time: TIME, level: 40, msg: 'a\nb' }), `${TIME} WARN  a\\u{a}b\n`)
  })

  it('tells a skip with slot, holder, worker and how long it has run', () => {
    const holder = { id: '01HX', stage: 'running', worker: 'w1@db2', since: ONE - 43_000, token: 7 } as const
    const decided = { entry: 'rollup.hourly', nominal: ONE, decision: 'skipped', messageId: 'b-1', lateMs: 0 } as const
    assert.equal(
      decisionText({ ...decided, holder, error: null }, slotText(ONE, 'UTC')),
      'skipped rollup.hourly slot 01:00 held by 01HX on w1@db2 (running 43 s)',
    )
  })

  it('shows a slot in the zone of its entry, with seconds only where there are any', () => {
    assert.equal(slotText(ONE, 'Asia/Kolkata'), '06:30')
    assert.equal(slotText(ONE + 5000, 'UTC'), '01:00:05')
    assert.equal(slotText(ONE + 500, 'UTC'), '01:00:00.500')
    assert.equal(slotText(ONE - 3_600_000, 'UTC'), '00:00')
  })

  it('says what a warm stop waits for', () => {
    assert.equal(runsText([]), undefined)
    assert.equal(runsText(['rollup']), '1 run (rollup)')
    assert.equal(runsText(['a', 'b', 'c', 'd']), '4 runs (a, b, c, …)')
  })
})
