import { BrokerUnavailable, hasCode, UsageError } from '../lock/error.js'
import type { OutcomeRecord } from '../lock/outcome.js'
import type { Overlap } from '../lock/overlap.js'
import { suggest } from '../lock/suggest.js'
import type { App } from '../task-base/app.js'
import { buildMessage, type CallOptions, type CallTarget } from '../task-base/call.js'
import { NO_TERMS } from '../task-base/call-term.js'
import type { Entry } from '../task-base/entry.js'
import type { Message } from '../task-base/message.js'
import type { Published } from '../task-base/publish-guard.js'
import type { Schedule } from '../task-base/schedule.js'
import type { RuleOf } from './changeover.js'
import type { BeatEntry, Fire, FireAnswer } from './entry.js'
import { argumentsAt, asksCode, givenArguments } from './entry-argument.js'
import { configHash, entryOf, scheduleText, specFrom, specOf, specText } from './entry-spec.js'
import { remembering } from './remembering.js'
import type { EntryPut, EntryRow } from './schedule-store.js'
import { parseSchedule } from './schedule-text.js'
import { nextSlot } from './slot.js'
import { readTiming } from './timing.js'

/** A line of the app's own timetable, and how it is stored. */
export interface ConfigLine {
  readonly entry: BeatEntry<Entry>
  readonly put: EntryPut
}

/** An app's timetable, every line judged before anything starts. @throws UsageError that names entry, value and cure. */
export function readTimetable(app: App): readonly ConfigLine[] {
  return [...app.entries].map(([name, entry]) => {
    refuseUnknownTask(app, name, entry)
    return readLine(app, name, entry)
  })
}

/** One line, judged. @throws UsageError */
export function readLine(app: App, name: string, entry: Entry): ConfigLine {
  const read = beatEntryOf(app, name, entry)
  refuseBadCall(app, { name, entry, known: app.tasks.get(entry.task) ?? unknownTask(entry.task) })
  // The zone too: another app's `timezone` is a change of the entry, and no beat reads the same row in another zone.
  const spec = specText(specOf({ ...entry, timezone: entry.timezone ?? app.settings.timezone }))
  return { entry: read, put: { name, spec, config: configHash(spec), maxRuns: entry.maxRuns ?? null } }
}

/** @throws UsageError */
export function refuseUnknownTask(app: App, name: string, entry: Entry): void {
  if (app.tasks.has(entry.task) || entry.external === true) return
  const guess = suggest(entry.task, [...app.tasks.keys()])
  throw new UsageError(
    `beat entry '${name}' calls the task '${entry.task}', which app '${app.name}' does not have${guess || '.'} ` +
      'Import its module, or mark the entry external: true (--external).',
  )
}

function unknownTask(name: string): CallTarget {
  return { name, params: null, defaults: null, guard: undefined, maxRetries: 0, ...NO_TERMS }
}

/** What stored entries mean to a beat of this app: those of its own configuration are its own objects. */
export function readingRows(app: App, config: readonly ConfigLine[]): (row: EntryRow) => BeatEntry<Entry> | undefined {
  const lines = new Map(config.map((line) => [line.put.name, line]))
  return ({ name, spec, config: hash }) => {
    const line = lines.get(name)
    const own = line?.put.config === hash ? line : undefined
    if (own?.put.spec === spec) return own.entry
    const entry = entryOf(name, spec, own?.entry.payload)
    return entry && beatEntryOf(app, name, entry)
  }
}

/**
 * By which rule stored entries were due, also of those whose code is gone, as long as their schedule was a text. One that
 * lives in code is that of the same entry and text in the app.
 */
export function ruleReader(app: App): RuleOf {
  return ({ name, spec }) => {
    try {
      const { code = [], ...fields } = specFrom(name, spec)
      const own = app.entries.get(name)
      // What else only code has says nothing of when it is due.
      const needed = code.filter((field) => field === 'schedule')
      if (needed.length > 0 && namedSchedule(own) !== scheduleText(fields)) return undefined
      return beatEntryOf(app, name, entryOf(name, JSON.stringify({ ...fields, code: needed }), own) as Entry)
    } catch (error) {
      if (hasCode(error, 'USAGE')) return undefined
      throw error
    }
  }
}

/** One without a text may be any other rule. */
function namedSchedule(entry: Entry | undefined): string | undefined {
  return typeof entry?.schedule === 'object' ? entry.schedule.text : undefined
}

function beatEntryOf(app: App, name: string, entry: Entry): BeatEntry<Entry> {
  const { maxRuns, ...timing } = readTiming(name, { ...entry, schedule: shared(name, entry) }, app.settings.timezone)
  const flags = { pauseOnFailure: entry.pauseOnFailure === true, asksCode: asksCode(entry) }
  return { name, ...timing, payload: entry, ...flags }
}

/** Many entries have few schedules: each text is read once. */
const read = new Map<string, Schedule>()
const READ_KEPT = 10_000

function shared(name: string, { schedule }: Entry): Entry['schedule'] {
  // `H` takes its value from the entry's name.
  if (typeof schedule !== 'string' || /h/i.test(schedule)) return schedule
  const known = read.get(schedule)
  if (known) return known
  const parsed = remembering(parseSchedule(schedule, name))
  if (read.size >= READ_KEPT) read.clear()
  read.set(schedule, parsed)
  return parsed
}

/** A call that could never be published is the timetable's mistake, not one of its slots'. */
function refuseBadCall(app: App, of: { name: string; entry: Entry; known: CallTarget }): void {
  const { name, entry, known } = of
  try {
    const context = { app: app.name, router: () => ({}), resultMs: 1, now: 0 }
    // What a function will answer is known at the slot only.
    const args = asksCode(entry) ? [] : givenArguments(entry, known)
    buildMessage(known, args, optionsOf(entry, known), context)
  } catch (error) {
    throw error instanceof UsageError
      ? new UsageError(`beat entry '${name}': ${error.message}`, { cause: error })
      : error
  }
}

/** The entry's own options, its policy filled in: nobody is there to catch, so `raise` acts as `skip`. */
function optionsOf(entry: Entry, target: CallTarget): CallOptions {
  const { once } = entry
  if (!target.guard) return { ...entry.options, ...(once ? { once } : {}) }
  return { ...entry.options, once: { ...once, overlap: overlapOf(entry, target.guard.overlap) } }
}

function overlapOf(entry: Pick<Entry, 'once'>, own: Overlap): Overlap {
  const overlap = entry.once?.overlap ?? own
  return overlap === 'raise' ? 'skip' : overlap
}

/** What people are told about an entry's policy at start. */
export function shownOverlap(app: App, entry: Pick<Entry, 'task' | 'once'>): string {
  const target = app.tasks.get(entry.task)
  if (!target) return entry.once?.overlap ?? 'as its workers say'
  return target.guard ? overlapOf(entry, target.guard.overlap) : 'no lock'
}

/** Publishes slots through the same guard as everyone. */
export function fireThrough(app: App): Fire<Entry> {
  return async (entry, slot) => {
    const { name, payload } = entry
    const target = await app.targetOf(payload.task)
    const own = optionsOf(payload, target)
    const { now } = await app.connection()
    const worthlessAt = worthlessFrom(entry, slot.nominal, now())
    const options = { ...own, expires: own.expires ?? defaultExpires(own, target, worthlessAt), id: slot.messageId }
    const { expires, ...rest } = options
    const call = expires === undefined ? rest : { ...rest, expires }
    const args = await argumentsAt(name, payload, { target, nominal: slot.nominal })
    const message = await app.message(target, args, call)
    if (performance.now() > slot.publishBefore) {
      throw new BrokerUnavailable((await app.connection()).servers.broker, `the claim of ${name} grew old meanwhile`)
    }
    return answerOf(await published(app, message), message.lock.overlap)
  }
}

/** Sent and not answered is no decision: the slot is tried again under its id. */
async function published(app: App, message: Message): Promise<Published> {
  try {
    return await app.publish(message)
  } catch (error) {
    throw error instanceof Error && hasCode(error, 'PUBLISH_UNKNOWN') ? error.cause : error
  }
}

/** Slots must not pile up while no worker runs: a call is worthless once its lock's timeout, or the next slot, is here. */
function defaultExpires(options: CallOptions, { guard }: CallTarget, at: number | undefined): CallOptions['expires'] {
  if (guard && options.once?.overlap !== 'allow') return options.once?.timeout ?? `${guard.timeoutMs}ms`
  return at === undefined ? undefined : new Date(at)
}

/** The next slot. A slot that is made up after that one has as long as it would have had in time: it is to run. */
function worthlessFrom(entry: BeatEntry<Entry>, nominal: number, now: number): number | undefined {
  const next = nextSlot(entry, nominal)
  return next === undefined || next > now ? next : Math.ceil(now) + next - nominal
}

/** What a parked slot is called, where it is not `deferred`. */
const PARKED_AS: Partial<Record<Overlap, 'queued' | 'replaced'>> = { queue: 'queued', replace: 'replaced' }

function answerOf(answer: Published, overlap: Overlap): FireAnswer {
  switch (answer.outcome) {
    case 'parked':
      return { decision: PARKED_AS[overlap] ?? 'deferred', holder: answer.behind }
    case 'coalesced':
      return { decision: 'coalesced', holder: answer.behind }
    case 'refused':
      return { decision: answer.full ? 'refused' : 'skipped', holder: answer.holder }
    case 'finished':
      return finishedAnswer(answer.record)
    case 'published':
      return { decision: 'published', holder: null }
  }
}

/** A beat that has died since has asked for this slot before: what came of its call stands, and has ended meanwhile. */
function finishedAnswer({ outcome, into, at }: OutcomeRecord): FireAnswer {
  if (outcome !== 'coalesced' || into === null) return { decision: 'published', holder: null }
  // All that is left of the call that it joined is its id.
  return { decision: 'coalesced', holder: { id: into, stage: 'queued', worker: null, since: at, token: null } }
}
