import assert from 'node:assert/strict'
import type { Verdict } from '../../../src/task-base/engine.js'
import { ACK, ENDED, type EngineTest, eventually, gate } from './scene.js'

/** Timers and clocks of whole milliseconds may differ by one at each end. */
const ROUNDING_MS = 3

/** What is published arrives: once, unchanged, in order, not early. */
export function carryContract(test: EngineTest): void {
  test('a message arrives as it was published, to the order of its fields', async (scene) => {
    const args = [
      { z: 1, a: [null, true, -1.5e300, ''], 'ключ \u0000 "x"': { b: 1, a: 2 } },
      'text \u0000 \u001f ü 🦉 \\ \u2028',
    ]
    const message = scene.message('a', { args, priority: null, notBefore: 1_700_000_000_123 })
    await scene.engine.publish(message, { delayMs: 0, head: false })
    const { seen } = await scene.watch()
    await eventually('the delivery', () => seen.messages.length === 1)
    assert.equal(JSON.stringify(seen.messages[0]), JSON.stringify(message))
  })

  test('a message of 1 MB arrives', async (scene) => {
    const text = 'ü'.repeat(500_000)
    await scene.publish('a', { args: [text] })
    const { seen } = await scene.watch()
    await eventually('the delivery', () => seen.messages.length === 1)
    assert.equal(seen.messages[0]?.args[0], text)
  })

  test('the same id is carried once while it waits, is delayed or runs', async (scene) => {
    await scene.publish('waits')
    await scene.publish('waits', { args: ['other'] })
    await scene.publish('delayed', { delayMs: 300 })
    await scene.publish('delayed')
    const { seen } = await scene.watch(async ({ message }) => {
      if (message.id === 'waits') await scene.publish('waits')
      return ACK
    })
    await eventually('both acknowledgements', () => seen.acknowledged.length === 2)
    await scene.publish('last')
    await eventually('the last delivery', () => seen.acknowledged.includes('last'))
    assert.deepEqual(seen.ids, ['waits', 'delayed', 'last'])
    assert.deepEqual(seen.messages[0]?.args, [{ feedId: 7 }])
  })

  test('[P11] an id whose message has ended is carried anew, as it was published then', async (scene) => {
    const { seen } = await scene.watch()
    await scene.publish('again')
    await eventually('the first acknowledgement', () => seen.acknowledged.length === 1)
    const start = performance.now()
    await scene.publish('again', { args: ['other'], delayMs: 300 })
    assert.equal(await scene.engine.state(scene.queue('default'), 'again'), 'delayed')
    await eventually('the second acknowledgement', () => seen.acknowledged.length === 2)
    assert.deepEqual(seen.messages[1]?.args, ['other'])
    assert.ok((seen.times[1] as number) - start >= 300 - ROUNDING_MS)
  })

  test('another round of an id is carried, though the earlier one waits, is in hand or has ended', async (scene) => {
    const queue = scene.queue('default')
    await scene.publish('a')
    await scene.publish('a', { round: 1 })
    const { seen } = await scene.watch(async ({ message }) => {
      if (message.round === 1) await scene.publish('a', { round: 2 })
      return ACK
    })
    await eventually('all acknowledgements', () => seen.acknowledged.length === 3)
    assert.deepEqual(
      seen.messages.map((message) => message.round),
      [0, 1, 2],
    )
    await scene.publish('a', { round: 3, delayMs: 60_000 })
    const [first, third, other] = await Promise.all([0, 3, 4].map((round) => scene.engine.state(queue, 'a', round)))
    assert.ok(ENDED.includes(first))
    assert.deepEqual([third, other], ['delayed', 'absent'])
  })

  test('a delayed message does not arrive early', async (scene) => {
    const { seen } = await scene.watch()
    const start = performance.now()
    await scene.publish('later', { delayMs: 600 })
    await scene.publish('now')
    await eventually('both deliveries', () => seen.ids.length === 2)
    assert.deepEqual(seen.ids, ['now', 'later'])
    assert.ok((seen.times[1] as number) - start >= 600 - ROUNDING_MS)
  })

  test('messages arrive in the order of their publish', async (scene) => {
    const ids = Array.from({ length: 12 }, (_, n) => `m${n}`)
    for (const id of ids) await scene.publish(id)
    const { seen } = await scene.watch()
    await eventually('all deliveries', () => seen.ids.length === ids.length)
    assert.deepEqual(seen.ids, ids)
  })

  test('a message at the head arrives before those that wait', async (scene) => {
    await scene.publish('first')
    await scene.publish('second')
    await scene.publish('head', { head: true })
    const { seen } = await scene.watch()
    await eventually('all deliveries', () => seen.ids.length === 3)
    assert.deepEqual(seen.ids, ['head', 'first', 'second'])
  })

  test('priorities: none first, then the lowest number, in order of arrival within', async (scene) => {
    await scene.publish('five', { priority: 5 })
    await scene.publish('one', { priority: 1 })
    await scene.publish('five-b', { priority: 5 })
    await scene.publish('none')
    const { seen } = await scene.watch()
    await eventually('all deliveries', () => seen.ids.length === 4)
    assert.deepEqual(seen.ids, ['none', 'one', 'five', 'five-b'])
  })

  test('a priority outlives a delay, and being put back', async (scene) => {
    for (const [id, priority] of [
      ['nine', 9],
      ['one', 1],
      ['none', null],
    ] as const) {
      await scene.publish(id, { priority, delayMs: 200 })
    }
    await scene.publish('keeps', { priority: 10, delayMs: 200 })
    const place = gate<Verdict>()
    let taken = false
    const order: string[] = []
    const { seen } = await scene.watch(async ({ message: { id } }) => {
      taken ||= id === 'keeps'
      if (id === 'keeps') return place.opened
      if (!taken) return { verdict: 'putBack', delayMs: 300 }
      order.push(id)
      return ACK
    })
    await eventually('the only place to be taken', () => taken)
    const takenAt = performance.now()
    await eventually('the others to be due again', () => performance.now() - takenAt > 400)
    assert.ok(
      ['nine', 'one', 'none'].every((id) => seen.ids.includes(id)),
      'each was put back',
    )
    place.open(ACK)
    await eventually('all deliveries', () => order.length === 3)
    assert.deepEqual(order, ['none', 'one', 'nine'])
  })

  test('a message put back arrives again, the same, not early, and is not acknowledged between', async (scene) => {
    await scene.publish('a')
    const { seen } = await scene.watch(async () => {
      return seen.ids.length < 3 ? { verdict: 'putBack', delayMs: 250 } : ACK
    })
    await eventually('the acknowledgement', () => seen.acknowledged.length > 0)
    assert.deepEqual(seen.ids, ['a', 'a', 'a'])
    assert.deepEqual(seen.acknowledged, ['a'])
    assert.deepEqual(seen.messages[2], seen.messages[0])
    for (const n of [0, 1]) {
      assert.ok((seen.times[n + 1] as number) - (seen.times[n] as number) >= 250 - ROUNDING_MS)
    }
  })

  test('a message put back lets others pass', async (scene) => {
    await scene.publish('a')
    await scene.publish('b')
    const { seen } = await scene.watch(async ({ message }) => {
      return message.id === 'a' && seen.ids.length === 1 ? { verdict: 'putBack', delayMs: 300 } : ACK
    })
    await eventually('all deliveries', () => seen.acknowledged.length === 2)
    assert.deepEqual(seen.ids, ['a', 'b', 'a'])
  })
}
