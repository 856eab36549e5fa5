import { UsageError } from '../lock/error.js'
import { parseSchedule } from './schedule-text.js'
import { nextSlot } from './slot.js'
import { checkZone, localTime } from './zone.js'

export interface PreviewRequest {
  /** As an entry's `schedule`. */
  readonly text: string
  /** IANA name. */
  readonly zone: string
  /** Epoch ms: slots strictly after it. */
  readonly after: number
  /** 1 to 10,000. */
  readonly count: number
  /** The entry's name, which `H` in cron text goes by. Default `preview`. */
  readonly name?: string
}

export interface Preview {
  /** The schedule as it was understood. */
  readonly text: string
  readonly warnings: readonly string[]
  /** Fewer than asked for where no more come. `local` is ISO 8601 with the zone's offset. */
  readonly slots: readonly { readonly nominal: number; readonly local: string }[]
}

const LARGEST_COUNT = 10_000

/** The next slots of any schedule text in any zone. Pure. @throws UsageError as an entry with that text would. */
export function preview({ text, zone, after, count, name = 'preview' }: PreviewRequest): Preview {
  if (!Number.isInteger(count) || count < 1 || count > LARGEST_COUNT) {
    throw new UsageError(`Expected \`count\` to be a whole number from 1 to ${LARGEST_COUNT}, got \`${count}\`.`)
  }
  checkZone(zone, 'timezone')
  const schedule = parseSchedule(text, name)
  const slots: { nominal: number; local: string }[] = []
  let at = nextSlot({ name, schedule, zone }, after)
  while (at !== undefined && slots.length < count) {
    slots.push({ nominal: at, local: localTime(at, zone) })
    at = slots.length < count ? nextSlot({ name, schedule, zone }, at) : undefined
  }
  return { text: schedule.text ?? text, warnings: schedule.warnings ?? [], slots }
}
