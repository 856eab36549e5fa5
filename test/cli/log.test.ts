import assert from 'node:assert/strict'
import { endText } from '../../src/cli/app-log.js'
import { decisionText, slotText } from '../../src/cli/beat-log.js'
import { logLine } from '../../src/cli/log.js'
import { runsText } from '../../src/cli/run-follower.js'
import type { LockKey } from '../../src/lock/key.js'
import { errorText } from '../../src/task-base/carried-error.js'
import { SoftTimeLimitExceeded } from '../../src/task-base/error.js'

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

  it('tells the last error and the attempts of a task that is out of retries, of one that died each time, and the causes of an error', () => {
    const run = { id: '01HX', task: 'feed', key: 'feed:ab' as LockKey, label: 'feed n=1', worker: 'w1', ms: 43 }
    const failed = { ...run, outcome: 'failed', attempt: 4 } as const
    const error = '{"name":"RangeError","message":"not yet"}'
    const texts = [
      { code: 'MAX_RETRIES', error },
      { code: 'MAX_RETRIES', error: null },
      { code: 'MAX_DELIVERIES', error: null },
      { code: 'TASK_ERROR', error },
      { code: 'TIME_LIMIT', error: null },
      { code: 'SOFT_TIME_LIMIT', error: errorText(new Error('aborted', { cause: new SoftTimeLimitExceeded(40) })) },
    ].map((end) => endText({ ...failed, ...end }))
    assert.deepEqual(texts, [
      'failed feed n=1 [01HX] after 43 ms, out of retries at attempt 4: RangeError: not yet',
      'failed feed n=1 [01HX] after 43 ms, out of retries at attempt 4',
      'failed feed n=1 [01HX] after 43 ms: its process died each time it was started, at last at attempt 4',
      'failed feed n=1 [01HX] after 43 ms: RangeError: not yet',
      'failed feed n=1 [01HX] after 43 ms (TIME_LIMIT)',
      'failed feed n=1 [01HX] after 43 ms: Error: aborted, caused by SoftTimeLimitExceeded: the task ran for more than its soft limit of 40 ms.',
    ])
  })

  it('says what a warm stop waits for', () => {
    assert.equal(runsText([]), undefined)
    assert.equal(runsText(['rollup']), '1 run (rollup)')
    assert.equal(runsText(['a', 'b', 'c', 'd']), '4 runs (a, b, c, …)')
  })
})
