import type { Emitter } from '../lock/emit.js'
import { AlreadyQueued, holderInfo, ParkedFull } from './error.js'
import type { AppEvents } from './event.js'
import type { Message } from './message.js'
import type { Published } from './publish-guard.js'
import type { ResultOf } from './result.js'
import { subject } from './sweeper.js'

/** Tells an app's listeners what became of a call. */
export function tellCall(events: Emitter<AppEvents>, message: Message, answer: Published): void {
  const about = subject(message)
  if (answer.outcome === 'published') events.emit('call:published', about)
  for (const id of ('replaced' in answer && answer.replaced) || []) {
    events.emit('call:replaced', { id, key: about.key, by: message.id })
  }
  if (answer.outcome === 'parked') events.emit('call:parked', { ...about, holder: answer.behind })
  if (answer.outcome === 'coalesced')
    events.emit('call:coalesced', { ...about, holder: answer.behind, into: answer.into })
  if (answer.outcome === 'refused')
    events.emit('call:refused', { ...about, holder: answer.holder, remainingMs: answer.remainingMs })
}

/** What the caller gets for it: a refusal is a value inside and becomes an error here. @throws AlreadyQueued, ParkedFull */
export function callerAnswer(message: Message, answer: Published): ResultOf {
  const { id } = message
  const { known, label, maxParked, overlap } = message.lock
  const key = known ? message.lock.key : null
  switch (answer.outcome) {
    case 'parked':
    case 'coalesced':
      return { id, key, outcome: answer.outcome, holder: holderInfo(answer.behind) }
    case 'refused': {
      const holder = holderInfo(answer.holder)
      if (answer.full) throw new ParkedFull({ key: message.lock.key, label, holder, maxParked })
      if (overlap !== 'raise') return { id, key, outcome: 'rejected', holder }
      throw new AlreadyQueued({ key: message.lock.key, label, holder, remainingMs: answer.remainingMs })
    }
    default:
      return { id, key, outcome: 'published', holder: undefined }
  }
}
