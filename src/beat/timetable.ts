import { BrokerUnavailable, hasCode, UsageError } from '../lock/error.js'
import type { Overlap } from '../lock/overlap.js'
import { suggest } from '../lock/suggest.js'
import type { App } from '../task-base/app.js'
import { buildMessage, type CallOptions, type CallTarget } from '../task-base/call.js'
import type { Entry } from '../task-base/entry.js'
import { namedArguments } from '../task-base/key-argument.js'
import type { Message } from '../task-base/message.js'
import type { Published } from '../task-base/publish-guard.js'
import type { BeatEntry, Fire, FireAnswer } from './entry.js'
import { readTiming } from './timing.js'

/** An app's timetable, every line judged before anything starts. @throws UsageError that names entry, value and cure. */
export function readTimetable(app: App): readonly BeatEntry<Entry>[] {
  return [...app.entries].map(([name, entry]) => {
    const known = app.tasks.get(entry.task)
    if (!known && entry.external !== true) {
      const guess = suggest(entry.task, [...app.tasks.keys()])
      throw new UsageError(
        `beat entry '${name}' calls the task '${entry.task}', which app '${app.name}' does not have${guess || '.'} ` +
          'Import its module, or mark the entry external: true.',
      )
    }
    const timing = readTiming(name, entry, app.settings.timezone)
    if (known) refuseBadCall(app, { name, entry, known })
    return { name, ...timing, payload: entry }
  })
}

/** A call that could never be published is the timetable's mistake, not one of its slots'. */
function refuseBadCall(app: App, of: { name: string; entry: Entry; known: CallTarget }): void {
  const { name, entry, known } = of
  try {
    const context = { app: app.name, queue: 'default', resultMs: 1, now: 0 }
    buildMessage(known, argumentsOf(entry, known), optionsOf(entry, known), context)
  } catch (error) {
    throw error instanceof UsageError
      ? new UsageError(`beat entry '${name}': ${error.message}`, { cause: error })
      : error
  }
}

function argumentsOf({ args, kwargs }: Entry, target: CallTarget): readonly unknown[] {
  return kwargs === undefined ? (args ?? []) : namedArguments(target, kwargs)
}

/** The entry's own options, its policy filled in: nobody is there to catch, so `raise` acts as `skip`. */
function optionsOf(entry: Entry, target: CallTarget): CallOptions {
  const { once } = entry
  if (!target.guard) return { ...entry.options, ...(once ? { once } : {}) }
  return { ...entry.options, once: { ...once, overlap: overlapOf(entry, target.guard.overlap) } }
}

function overlapOf(entry: Entry, own: Overlap): Overlap {
  const overlap = entry.once?.overlap ?? own
  return overlap === 'raise' ? 'skip' : overlap
}

/** What people are told about an entry's policy at start. */
export function shownOverlap(app: App, entry: Entry): string {
  const target = app.tasks.get(entry.task)
  if (!target) return entry.once?.overlap ?? 'as its workers say'
  return target.guard ? overlapOf(entry, target.guard.overlap) : 'no lock'
}

/** Publishes slots through the same guard as everyone. */
export function fireThrough(app: App): Fire<Entry> {
  return async ({ name, schedule, zone, payload }, slot) => {
    const target = await app.targetOf(payload.task)
    const own = optionsOf(payload, target)
    const next = schedule.next(slot.nominal, zone)
    const options = { ...own, expires: own.expires ?? defaultExpires(own, target, next), id: slot.messageId }
    const { expires, ...rest } = options
    const call = expires === undefined ? rest : { ...rest, expires }
    const message = await app.message(target, argumentsOf(payload, target), call)
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
function defaultExpires(options: CallOptions, { guard }: CallTarget, next: number | undefined): CallOptions['expires'] {
  if (guard && options.once?.overlap !== 'allow') return options.once?.timeout ?? `${guard.timeoutMs}ms`
  return next === undefined ? undefined : new Date(next)
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
    default:
      return { decision: 'published', holder: null }
  }
}
