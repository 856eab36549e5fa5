import { recordOutcome } from '../ending.js'
import type { MessageRef } from '../hold.js'
import { cancel, type Hold, type LockRecord, removeHold } from '../record.js'

export interface Displacement extends MessageRef {
  readonly minRunMs: number
  readonly resultMs: number
}

/**
 * Makes room for a newcomer that replaces: a holder that does not run yet ends at once, else the run with the lowest
 * token is told to stop. Nobody more is disturbed while an earlier cancelled run still has to end. Answers whom it ended.
 */
export function displace(
  record: LockRecord,
  rivals: readonly Hold[],
  by: Displacement,
  now: number,
): string | undefined {
  if (rivals.some((hold) => hold.cancelledHow !== null)) return undefined
  const waiting = rivals.find((hold) => hold.stage !== 'running' && hold.stage !== 'cooling')
  if (waiting) {
    removeHold(record, waiting)
    endReplaced(record, waiting, by, now)
    return waiting.messageId
  }
  const running = rivals.filter((hold) => hold.stage === 'running').sort((a, b) => (a.token ?? 0) - (b.token ?? 0))[0]
  if (running && running.since + by.minRunMs <= now) cancel(record, running, 'replaced', by.messageId)
  return undefined
}

export function endReplaced(
  record: LockRecord,
  replaced: { readonly messageId: string; readonly round: number },
  by: Displacement,
  now: number,
): void {
  const { messageId, round } = replaced
  const ending = { messageId, round, outcome: 'replaced', code: 'REPLACED', into: by.messageId } as const
  recordOutcome(record, ending, now, by.resultMs)
}
