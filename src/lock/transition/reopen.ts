import type { MessageRef } from '../hold.js'
import type { LockRecord } from '../record.js'

/** The message is on its way once more: how this round or an earlier one ended is not its last word. */
export function reopen(record: LockRecord, ref: MessageRef): void {
  for (const kept of record.outcomes.values()) {
    const { messageId, round } = kept.record
    if (messageId === ref.messageId && round <= ref.round) kept.reopened = true
  }
}
