import type { MessageRef } from '../hold.js'
import { enqueue } from '../hold-stage.js'
import { holdOf, type LockRecord } from '../record.js'

/** The engine has the message. A late confirmation that finds it running, finished or gone changes nothing. */
export function confirm(record: LockRecord, ref: MessageRef, now: number): void {
  const hold = holdOf(record, ref)
  if (hold?.stage === 'publishing' || hold?.stage === 'promoting') enqueue(hold, now)
}
