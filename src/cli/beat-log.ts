import type { BeatInfo, RunningBeat } from '../beat/beat.js'
import type { BeatEvents } from '../beat/event.js'
import { formatDuration } from '../lock/duration.js'
import { holderText } from './app-log.js'
import type { Log } from './log.js'
import type { Outage } from './outage.js'

type Decided = BeatEvents['beat:decided']

/** Logs what beat decides: a skip with the holder, and never as an error. */
export function logBeat({ events, info }: RunningBeat, { log, outage }: { log: Log; outage: Outage }): void {
  const zones = new Map(info.entries.map((entry) => [entry.name, entry.zone]))
  const slot = (entry: string, nominal: number) => slotText(nominal, zones.get(entry) ?? 'UTC')
  events.on('beat:decided', (decided) => {
    const text = decisionText(decided, slot(decided.entry, decided.nominal))
    if (decided.error) log.error(text, { error: decided.error })
    else log.info(text)
  })
  events.on('beat:missed', ({ entry, slots, latest, exact }) => {
    const count = `${exact ? '' : 'more than '}${slots} ${slots === 1 ? 'slot' : 'slots'}`
    log.warn(
      `missed ${count} of ${entry}, the latest ${slot(entry, latest)}: no beat, or no server, was there at the time`,
    )
  })
  events.on('beat:lead', ({ leads }) =>
    log.info(leads ? 'this beat leads' : 'another beat leads; this one waits to take over'),
  )
  events.on('beat:edition', ({ inForce }) => {
    if (inForce) log.info("the entries of this beat's code are brought into the store again")
    else log.warn(SUPERSEDED)
  })
  events.on('beat:wentBack', () =>
    log.warn(
      'the timetable has gone back to an earlier state: reading all of it anew; slots since then may come again',
    ),
  )
  events.on('beat:trouble', ({ entry, error }) => outage.trouble(entry === null ? 'beat' : `entry ${entry}`, error))
}

const SUPERSEDED =
  "another version of this beat's code was started later: its entries stay in the store until no beat of it is left"

/** `skipped rollup.hourly slot 01:00 held by 01HX… on w1@db2 (running 43 s)`. Pure. */
export function decisionText({ decision, entry, holder, nominal, lateMs, error }: Decided, slot: string): string {
  const held = holder ? ` ${decision === 'skipped' ? 'held by' : 'behind'} ${holderText(holder, nominal + lateMs)}` : ''
  return `${decision} ${entry} slot ${slot}${held}${error ? `: ${error.message}` : ''}`
}

/** The time of day of a slot in its entry's zone; seconds and ms only where there are any. Pure. */
export function slotText(nominal: number, zone: string): string {
  const time = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    fractionalSecondDigits: 3,
  }).format(nominal)
  return time.replace(/\.000$/, '').replace(/^(\d\d:\d\d):00$/, '$1')
}

/** Entries that are told one by one at the start, the soonest. */
const SHOWN = 20

/** The start-up lines: what this beat serves, and what its author probably did not mean. */
export function tellBeat(info: BeatInfo, { app, log }: { app: string; log: Log }): void {
  const { broker, locks, store, entries, warnings } = info
  log.info(`beat of app ${app}: ${entries.length} ${entries.length === 1 ? 'entry' : 'entries'} in its code`)
  log.info(`broker ${broker}, locks ${locks}${store === locks ? '' : `, timetable ${store}`}`)
  const soonest = entries.toSorted(
    (a, b) => (a.next ?? Number.POSITIVE_INFINITY) - (b.next ?? Number.POSITIVE_INFINITY),
  )
  for (const { name, task, schedule, zone, overlap, next } of soonest.slice(0, SHOWN)) {
    const due =
      next === null ? 'never' : `${new Date(next).toISOString()} (in ${formatDuration(Math.max(0, next - Date.now()))})`
    log.info(`entry ${name}: ${task}, ${schedule}, ${zone}, overlap ${overlap}, next ${due}`)
  }
  if (entries.length > SHOWN) log.info(`… and ${entries.length - SHOWN} more; beatlock schedule list shows them`)
  for (const warning of warnings) log.warn(warning)
}
