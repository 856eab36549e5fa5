import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { EngineState } from '../../src/lock/doubt.js'
import { MODES } from '../../src/lock/mode.js'
import type { Instruction } from '../../src/lock/overlap.js'
import { removeHold } from '../../src/lock/record.js'
import { History, type Transitions, transitions } from './history.js'
import type { Step, World } from './history-step.js'

const id = fc.nat({ max: 5 })
const back = fc.nat({ max: 2 })
const states: EngineState[] = ['waiting', 'delayed', 'active', 'finished', 'absent']

/** Mostly one mode and one limit; at times two that meet on one key, as in a rolling deploy. */
const world: fc.Arbitrary<World> = fc.record({
  modes: fc.array(fc.constantFrom(...MODES), { minLength: 1, maxLength: 2 }),
  limits: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 2 }),
})

const whenHeld: fc.Arbitrary<Instruction> = fc.oneof(
  fc.constant({ do: 'refuse' as const }),
  fc.record({
    do: fc.constant('park' as const),
    capacity: fc.integer({ min: 1, max: 3 }),
    keep: fc.constantFrom('first' as const, 'latest' as const, 'all' as const),
  }),
  fc.record({ do: fc.constant('replace' as const), minRunMs: fc.constantFrom(0, 40) }),
)

const start: fc.Arbitrary<Step> = fc.record({
  do: fc.constant('run' as const),
  id,
  owner: fc.nat({ max: 2 }),
  slot: fc.nat({ max: 2 }),
  whenHeld: fc.constantFrom('coalesce' as const, 'skip' as const, 'wait' as const, 'replace' as const),
})

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('acquire' as const),
    id,
    whenHeld,
    expiresInMs: fc.option(fc.integer({ min: 1, max: 200 })),
  }),
  fc.record({ do: fc.constant('confirm' as const), id }),
  start,
  fc.record({ do: fc.constant('renew' as const), back }),
  fc.record({
    do: fc.constant('requeue' as const),
    back,
    reason: fc.constantFrom('retry' as const, 'redelivery' as const),
    delayMs: fc.nat({ max: 200 }),
  }),
  fc.record({ do: fc.constant('release' as const), back }),
  fc.record({ do: fc.constant('end' as const), id, outcome: fc.constantFrom('expired' as const, 'revoked' as const) }),
  fc.record({ do: fc.constant('sweep' as const), state: fc.constantFrom(...states) }),
  fc.record({
    do: fc.constant('clear' as const),
    parked: fc.boolean(),
    running: fc.constantFrom('keep' as const, 'cancel' as const, 'drop' as const),
  }),
  fc.record({ do: fc.constant('revoke' as const), id, terminate: fc.boolean() }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 150 }) }),
)

/** A loss, and what matters around it. */
const loss: fc.Arbitrary<Step> = fc.oneof(
  start,
  fc.record({ do: fc.constant('renew' as const), back }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 20, max: 90 }) }),
  fc.record({ do: fc.constant('save' as const) }),
  fc.record({ do: fc.constant('lose' as const), what: fc.constantFrom('all' as const, 'latest' as const) }),
)

const steps = fc.array(step, { minLength: 1, maxLength: 60, size: 'max' })

const withLosses = fc.array(fc.oneof({ arbitrary: step, weight: 3 }, { arbitrary: loss, weight: 2 }), {
  minLength: 1,
  maxLength: 60,
  size: 'max',
})

function keepsTheRules(on: Transitions, history = steps) {
  return fc.property(world, history, (calls, all) => {
    const history = new History(calls, on)
    for (const each of all) history.step(each)
    history.end()
  })
}

describe('any history of one key', () => {
  it('[P1] [P3] [P4] [P6] [P8] [P9] [P10] [P12] [P13] [P18] keeps every rule of the lock', () => {
    fc.assert(keepsTheRules(transitions), { numRuns: 3_000 })
  })

  it('[P1] [P2] [P3] [P4] [P6] keeps every rule but for what it forgot, though its data is lost again and again', () => {
    fc.assert(keepsTheRules(transitions, withLosses), { numRuns: 3_000 })
  })

  const forgetful: Readonly<Record<string, Partial<Transitions>>> = {
    'a start that is not withheld after a loss of data': {
      run: (record, step, now) => transitions.run(record, step, now),
    },
    'a run that outlived a loss and is not held again': {
      renew: (record, renewal, now, until) => {
        const before = structuredClone(record.holders)
        const answer = transitions.renew(record, renewal, now, until)
        if (!before.some(({ token }) => token === renewal.token)) record.holders.splice(0, 9, ...before)
        return answer
      },
    },
    'a run that is held again beside those in its place': {
      renew: (record, renewal, now, until) => {
        const { claim, ...plain } = renewal
        const terms = claim && { ...claim.terms, limit: 9 }
        return transitions.renew(record, claim && terms ? { ...plain, claim: { ...claim, terms } } : plain, now, until)
      },
    },
  }
  for (const [what, parts] of Object.entries(forgetful)) {
    it(`the checker catches ${what}`, () => {
      const { failed } = fc.check(keepsTheRules({ ...transitions, ...parts }, withLosses), { numRuns: 3_000 })
      assert.ok(failed)
    })
  }

  const broken: Readonly<Record<string, Partial<Transitions>>> = {
    'a late renewal that revives its lease': {
      renew: (record, renewal, now) => {
        const hold = record.holders.find((each) => each.token === renewal.token && each.stage === 'running')
        if (hold && hold.expiresAt <= now) hold.expiresAt = now + 1
        return transitions.renew(record, renewal, now)
      },
    },
    'a release that does not look at the token': {
      release: (record, request, now) => {
        const hold = record.holders.find((each) => each.messageId === request.messageId)
        return transitions.release(record, { ...request, token: hold?.token ?? request.token }, now)
      },
    },
    'a redelivery that does not wait for the lock delay': {
      run: (record, step, now) => {
        for (const hold of record.holders) if (hold.expiresAt <= now) hold.lockDelayMs = 0
        return transitions.run(record, step, now)
      },
    },
    'a clear that frees living runs': {
      clear: (record, request, now) => transitions.clear(record, { ...request, running: 'drop' }, now),
    },
    'a release that forgets the parked calls': {
      release: (record, request, now) => {
        const answer = transitions.release(record, request, now)
        if (answer.outcome === 'released') record.parked.splice(0)
        return answer
      },
    },
    'a run that takes a slot in use': {
      run: (record, step, now) => {
        const slots = record.holders.map((hold) => hold.slot)
        for (const hold of record.holders) hold.slot = null
        const answer = transitions.run(record, step, now)
        for (const [at, hold] of record.holders.entries()) hold.slot ??= slots[at] ?? null
        return answer
      },
    },
    'a replace that does not wait for the body': {
      acquire: (record, request, now) => {
        const running = record.holders.find((hold) => hold.stage === 'running')
        if (request.whenHeld.do === 'replace' && running) running.stage = 'queued'
        return transitions.acquire(record, request, now)
      },
    },
    'a cancelled run that ends as it likes': {
      release: (record, request, now) => {
        for (const hold of record.holders) hold.cancelledHow = null
        return transitions.release(record, request, now)
      },
    },
    'a hold that lapses silently': {
      sweep: (record, now, times) => {
        const told = record.history.length
        const answer = transitions.sweep(record, now, times)
        record.history.splice(told)
        return answer
      },
    },
    'permits that are only counted': {
      run: (record, step, now) => {
        for (const hold of record.holders) if (hold.stage === 'running') hold.set = 'free'
        return transitions.run(record, step, now)
      },
    },
    'an acquire that overtakes': {
      acquire: (record, request, now) => {
        const promoting = record.holders.find((hold) => hold.stage === 'promoting')
        if (promoting && record.parked.length > 0) removeHold(record, promoting)
        return transitions.acquire({ ...record, parked: [] }, request, now)
      },
    },
  }
  for (const [what, parts] of Object.entries(broken)) {
    it(`the checker catches ${what}`, () => {
      const { failed } = fc.check(keepsTheRules({ ...transitions, ...parts }), { numRuns: 3_000 })
      assert.ok(failed)
    })
  }
})
