import { type Duration, looksLikeDuration, parseDuration } from '../lock/duration.js'
import { UsageError } from '../lock/error.js'
import { suggest } from '../lock/suggest.js'
import type { Schedule } from '../task-base/schedule.js'
import { clocked } from './clocked.js'
import { refusal } from './cron-grammar.js'
import { cronText } from './cron-text.js'
import { crontab } from './crontab.js'
import { every } from './every.js'
import { readSolar } from './solar.js'

/**
 * An entry's schedule as written: a duration (`'5m'`, or a number of seconds) means {@link every} on the grid of the
 * epoch; `every 5m from 2026-01-01T00:02:00Z`, `at 2026-01-01T00:00:00Z`, `crontab 0 3 * * mon` and
 * `solar sunset 52.52 13.405` mean the functions of these names ({@link clocked} for `at`); anything else is cron text.
 *
 * The `text` of each schedule that beatlock makes reads back as the same schedule: this is how schedules are stored.
 *
 * @throws UsageError that names entry, value and cure.
 */
export function parseSchedule(text: string | number, entryName: string): Schedule {
  if (typeof text === 'number' || looksLikeDuration(text)) return fromDuration(text as Duration, entryName)
  const [, word = '', rest = ''] = /^\s*([a-z]{2,})\b\s*(.*?)\s*$/is.exec(text) ?? []
  if (word !== '') return fromWord(word, rest, { text, entryName })
  const [, number = '', unit = ''] = /^\s*([\d.]+)\s*([a-z]*)\s*$/i.exec(text) ?? []
  const meant = `${number}${unit.toLowerCase() || 's'}`
  if (!looksLikeDuration(meant)) return cronText(text, entryName)
  throw refusal(text, entryName, `write '${meant}'`)
}

const BY_WORD: Readonly<Record<string, (rest: string) => Schedule>> = {
  every: readEvery,
  at: clocked,
  crontab: crontab.fromString,
  solar: readSolar,
}

function fromWord(word: string, rest: string, of: { readonly text: string; readonly entryName: string }): Schedule {
  const read = BY_WORD[word.toLowerCase()]
  if (!read) {
    const known = Object.keys(BY_WORD)
    const guess = suggest(word, known) || `; a schedule in words begins with ${known.join(', ')}`
    throw refusal(of.text, of.entryName, `"${word}" is unknown${guess}`)
  }
  try {
    return read(rest)
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause
    throw new UsageError(`beat entry '${of.entryName}': ${cause.message}`, { cause })
  }
}

/** As {@link every} writes itself: `1m 30s`, `1h from 2026-01-01T00:15:00.000Z`. */
function readEvery(rest: string): Schedule {
  const [, written = '', anchor] = /^(.*?)(?:\s+from\s+(\S+))?$/i.exec(rest) ?? []
  const periodMs = written.split(/\s+/).reduce((sum, each) => sum + parseDuration(each, 'every'), 0)
  return every(`${periodMs}ms`, anchor === undefined ? {} : { anchor })
}

function fromDuration(duration: Duration, entryName: string): Schedule {
  try {
    return every(duration)
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause
    throw new UsageError(cause.message.replace('`every`', `\`schedule\` of entry ${entryName}`), { cause })
  }
}
