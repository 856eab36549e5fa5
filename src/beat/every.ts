import { type Duration, formatDuration, parseDuration } from '../lock/duration.js'
import { UsageError } from '../lock/error.js'
import { suggest } from '../lock/suggest.js'
import type { Schedule } from '../task-base/schedule.js'
import { readInstant } from './instant.js'

export interface EveryOptions {
  /** A point of the grid: a Date, or ISO 8601 text with an offset or `Z`. Default: the epoch, UTC. */
  readonly anchor?: Date | string
}

/** A schedule whose slots are counted without walking them. */
export interface Grid extends Schedule {
  readonly periodMs: number
  /** Epoch ms of one slot. */
  readonly anchorAt: number
}

/**
 * A fixed grid: slots at `anchor + n × period`, before the anchor as after it.
 *
 * Late runs and restarts move nothing, so two hosts agree without talking. Knows no calendar and no zone: `every('1d')`
 * is 24 hours, over a change of the clocks too; for a time of day use `crontab`. At least 10 ms.
 *
 * @throws UsageError
 * @example every('30s')   every('1h', { anchor: '2026-01-01T00:15:00Z' })
 */
export function every(period: Duration, options: EveryOptions = {}): Grid {
  const periodMs = parseDuration(period, 'every', { minMs: 10 })
  for (const name of Object.keys(options)) {
    if (name !== 'anchor') {
      throw new UsageError(`every() has no option \`${name}\`${suggest(name, ['anchor']) || '; it takes anchor.'}`)
    }
  }
  const anchorAt = options.anchor === undefined ? 0 : readInstant(options.anchor, 'anchor')
  const anchored = anchorAt % periodMs === 0 ? '' : ` from ${new Date(anchorAt).toISOString()}`
  return {
    periodMs,
    anchorAt,
    stored: true,
    text: `every ${formatExactly(periodMs)}${anchored}`,
    next: (afterMs) => anchorAt + (Math.floor((afterMs - anchorAt) / periodMs) + 1) * periodMs,
  }
}

export function isGrid(schedule: Schedule): schedule is Grid {
  return 'periodMs' in schedule && 'anchorAt' in schedule
}

/** `formatDuration` is for reading and drops what is small; here 90061 ms must not look like 90 s. */
function formatExactly(ms: number): string {
  const short = formatDuration(ms).replaceAll(/(?<=\d) (?=m?s$)/g, '')
  const units = short.split(' ').map((part) => parseDuration(part, 'every'))
  return units.reduce((sum, each) => sum + each, 0) === ms ? short : `${ms}ms`
}
