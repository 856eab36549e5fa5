import { type Duration, looksLikeDuration } from '../lock/duration.js'
import { UsageError } from '../lock/error.js'
import type { Schedule } from '../task-base/schedule.js'
import { cronText } from './cron-text.js'
import { every } from './every.js'

/**
 * An entry's schedule as written: a duration (`'5m'`, or a number of seconds) means {@link every} on the grid of the
 * epoch, anything else is cron text.
 *
 * @throws UsageError that names entry, value and cure.
 */
export function parseSchedule(text: string | number, entryName: string): Schedule {
  if (typeof text === 'number' || looksLikeDuration(text)) return fromDuration(text as Duration, entryName)
  const close = text.trim().replaceAll(/\s+/g, '')
  const meant = /^\d+(?:\.\d+)?$/.test(close) ? `${close}s` : close.toLowerCase()
  if (!looksLikeDuration(meant)) return cronText(text, entryName)
  throw new UsageError(
    `Expected \`schedule\` of entry ${entryName} to be a duration such as '5m' or cron text such as '0 3 * * *', ` +
      `got \`${text}\`; write '${meant}'.`,
  )
}

function fromDuration(duration: Duration, entryName: string): Schedule {
  try {
    return every(duration)
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause
    throw new UsageError(cause.message.replace('`every`', `\`schedule\` of entry ${entryName}`), { cause })
  }
}
