import { shortened } from '../lock/printable.js'
import type { CommandReply } from '../task-base/worker-command.js'

/** A store takes much more; the asker has one such from each worker. */
export const ANSWER_BYTES = 256 * 1024
const ERROR_LENGTH = 500

/** The text of an answer: of a list that is too long its end is left out. Pure. */
export function answerText(ok: unknown): string {
  const whole = textOf({ v: 1, ok, omitted: 0 })
  if (Buffer.byteLength(whole) <= ANSWER_BYTES) return whole
  if (!Array.isArray(ok)) return errorAnswer(new Error('its answer is too large'))
  const kept = ok.slice(0, fitting(ok))
  return textOf({ v: 1, ok: kept, omitted: ok.length - kept.length })
}

export function errorAnswer(error: Error): string {
  return textOf({ v: 1, error: shortened(error.message, ERROR_LENGTH) })
}

/** How many of a list fit, with room for what is around them. */
function fitting(list: readonly unknown[]): number {
  let left = ANSWER_BYTES - 1_000
  const over = list.findIndex((each) => {
    left -= Buffer.byteLength(JSON.stringify(each)) + 1
    return left < 0
  })
  return over < 0 ? list.length : over
}

function textOf(reply: CommandReply): string {
  return JSON.stringify(reply)
}
