import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Verdict } from '../../../src/task-base/engine.js'
import { ACK, ENDED, type EngineTest, eventually, gate, REDELIVER_MS } from './scene.js'

/** Who delivers, how many at once, and what happens to a message whose consumer is gone. */
export function consumeContract(test: EngineTest): void {
  test('two consumers share the messages, each goes to one of them', async (scene) => {
    const ids = Array.from({ length: 20 }, (_, n) => `m${n}`)
    for (const id of ids) await scene.publish(id)
    const slow = async (): Promise<Verdict> => sleep(10).then(() => ACK)
    const one = await scene.watch(slow, { engine: await scene.another() })
    const two = await scene.watch(slow, { engine: await scene.another() })
    await eventually('all deliveries', () => one.seen.acknowledged.length + two.seen.acknowledged.length === 20)
    assert.deepEqual([...one.seen.ids, ...two.seen.ids].sort(), [...ids].sort())
  })

  test('the bound on deliveries under way holds over all queues together', async (scene) => {
    const queues = ['x', 'y', 'z'].map((name) => scene.queue(name))
    for (let n = 0; n < 12; n += 1) await scene.publish(`m${n}`, { queue: queues[n % 3] as string })
    let under = 0
    let most = 0
    const { seen } = await scene.watch(
      async () => {
        under += 1
        most = Math.max(most, under)
        await sleep(30)
        under -= 1
        return ACK
      },
      { queues, concurrency: 2 },
    )
    await eventually('all acknowledgements', () => seen.acknowledged.length === 12)
    assert.equal(most, 2)
    assert.equal(seen.ids.length, 12)
  })

  test('a delivery whose hands are free makes room, for as many as there are hands and no more', async (scene) => {
    for (let n = 0; n < 40; n += 1) await scene.publish(`short${n}`)
    const door = gate<void>()
    let busy = 0
    let most = 0
    const { consumer, seen } = await scene.watch(
      async ({ message: { id }, free }) => {
        busy += 1
        most = Math.max(most, busy)
        if (!id.startsWith('short')) await Promise.resolve()
        busy -= 1
        free()
        free()
        if (!id.startsWith('short')) await door.opened
        return ACK
      },
      { concurrency: 2 },
    )
    await eventually('what is short', () => seen.acknowledged.length === 40)
    for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) await scene.publish(id)
    await eventually('the first deliveries', () => seen.ids.length >= 42)
    await sleep(50)
    assert.ok(seen.ids.length <= 44, `${seen.ids.length - 40} wait for their verdict`)
    door.open()
    await eventually('all acknowledgements', () => seen.acknowledged.length === 46)
    assert.ok(most <= 2, `${most} at once`)
    await consumer.close('finish')
  })

  test('another bound on deliveries holds at once, also while all that were allowed are under way', async (scene) => {
    const doors: (() => void)[] = []
    const { consumer, seen } = await scene.watch(() => {
      const door = gate<void>()
      doors.push(() => door.open())
      return door.opened.then(() => ACK)
    })
    for (const id of ['a', 'b', 'c', 'd', 'e']) await scene.publish(id)
    await eventually('the first delivery', () => seen.ids.length === 1)
    await consumer.resize(3)
    await eventually('two more', () => seen.ids.length === 3)
    await consumer.resize(1)
    for (const open of doors.splice(0, 2)) open()
    await eventually('two acknowledgements', () => seen.acknowledged.length === 2)
    const next = await scene.watch()
    await eventually('the others', () => next.seen.acknowledged.length === 2)
    assert.equal(seen.ids.length, 3)
    for (const open of doors.splice(0)) open()
    await eventually('the last acknowledgement', () => seen.acknowledged.length === 3)
    await next.consumer.close('finish')
    await scene.publish('f')
    await eventually('its delivery', () => seen.ids.length === 4)
    for (const open of doors.splice(0)) open()
    await eventually('its acknowledgement', () => seen.acknowledged.length === 4)
  })

  test('[P13] the message of a consumer that died is delivered again elsewhere', async (scene) => {
    await scene.publish('a')
    const ended = gate<Verdict>()
    const dead = await scene.watch(() => ended.opened, { engine: await scene.another() })
    await eventually('the first delivery', () => dead.seen.ids.length === 1)
    await dead.consumer.close('now')
    const { seen } = await scene.watch()
    await eventually('the redelivery', () => seen.acknowledged.length === 1)
    assert.deepEqual(seen.messages[0], dead.seen.messages[0])
    ended.open({ verdict: 'putBack', delayMs: 0 })
  })

  test('[P13] a long delivery by a living consumer is not delivered elsewhere', async (scene) => {
    await scene.publish('a')
    const long = async (): Promise<Verdict> => sleep(REDELIVER_MS * 2).then(() => ACK)
    const one = await scene.watch(long, { engine: await scene.another() })
    await eventually('the delivery', () => one.seen.ids.length === 1)
    const two = await scene.watch()
    await eventually('the acknowledgement', () => one.seen.acknowledged.length === 1)
    assert.deepEqual([one.seen.ids, two.seen.ids], [['a'], []])
  })

  test('[P22] a consumer that finishes waits for its deliveries and takes no further one', async (scene) => {
    await scene.publish('a')
    await scene.publish('b')
    const door = gate<void>()
    const { consumer, seen } = await scene.watch(async () => door.opened.then(() => ACK))
    await eventually('the first delivery', () => seen.ids.length === 1)
    let closed = false
    const closing = consumer.close('finish').then(() => {
      closed = true
    })
    await sleep(50)
    assert.equal(closed, false)
    door.open()
    await closing
    assert.deepEqual([seen.ids, seen.acknowledged], [['a'], ['a']])
    const next = await scene.watch()
    await eventually('the other message', () => next.seen.acknowledged.length === 1)
    assert.deepEqual(next.seen.ids, ['b'])
  })

  test('a paused consumer takes nothing, and ends what it has', async (scene) => {
    const door = gate<void>()
    await scene.publish('a')
    const { consumer, seen } = await scene.watch(async () => door.opened.then(() => ACK))
    await eventually('the first delivery', () => seen.ids.length === 1)
    await consumer.pause()
    await scene.publish('b')
    door.open()
    await eventually('the acknowledgement', () => seen.acknowledged.length === 1)
    const next = await scene.watch()
    await eventually('the other message', () => next.seen.acknowledged.length === 1)
    assert.deepEqual([seen.ids, next.seen.ids], [['a'], ['b']])
  })

  test('a consumer that is resumed takes what came during its pause', async (scene) => {
    const door = gate<void>()
    await scene.publish('a')
    const { consumer, seen } = await scene.watch(async ({ message }) => {
      if (message.id === 'a') await door.opened
      return ACK
    })
    await eventually('the first delivery', () => seen.ids.length === 1)
    for (const id of ['b', 'c', 'd']) {
      await consumer.pause()
      await scene.publish(id)
      if (id === 'b') door.open()
      await eventually('rest', () => seen.acknowledged.length === seen.ids.length)
      assert.ok(!seen.ids.includes(id))
      await consumer.resume()
      await eventually(`the acknowledgement of ${id}`, () => seen.acknowledged.includes(id))
    }
    assert.deepEqual(seen.ids, ['a', 'b', 'c', 'd'])
    // A pause that follows at once is the last word.
    const resumed = consumer.resume()
    await consumer.pause()
    await resumed
    await scene.publish('e')
    const next = await scene.watch()
    await eventually('the other message', () => next.seen.acknowledged.length === 1)
    assert.deepEqual([seen.ids.length, next.seen.ids], [4, ['e']])
  })

  test('a consumer takes from a queue more, and nothing more from one that it left', async (scene) => {
    const other = scene.queue('other')
    await scene.publish('early', { queue: other })
    const { consumer, seen } = await scene.watch()
    await consumer.addQueue(other)
    await consumer.addQueue(other)
    await eventually('what waited there', () => seen.acknowledged.includes('early'))
    await scene.publish('a')
    await eventually('the first queue', () => seen.acknowledged.includes('a'))
    await consumer.cancelQueue(other)
    await consumer.cancelQueue(scene.queue('never-used'))
    await scene.publish('late', { queue: other })
    await scene.publish('b')
    await eventually('the first queue again', () => seen.acknowledged.includes('b'))
    await consumer.cancelQueue(scene.queue('default'))
    const next = await scene.watch(undefined, { queues: [other] })
    await eventually('another consumer', () => next.seen.acknowledged.includes('late'))
    await consumer.addQueue(scene.queue('default'))
    await scene.publish('c')
    await eventually('the first queue, added again', () => seen.acknowledged.includes('c'))
    assert.deepEqual([seen.ids, next.seen.ids], [['early', 'a', 'b', 'c'], ['late']])
  })

  test('[P11] what was taken of a queue that is left is finished, and waited for at the end', async (scene) => {
    const doors = [gate<void>(), gate<void>()] as const
    const other = scene.queue('other')
    const { consumer, seen } = await scene.watch(
      async ({ message }) => doors[message.id === 'a' ? 0 : 1].opened.then(() => ACK),
      { queues: [scene.queue('default'), other], concurrency: 2 },
    )
    await scene.publish('a', { queue: other })
    await eventually('the first delivery', () => seen.ids.length === 1)
    await consumer.cancelQueue(other)
    await scene.publish('b', { queue: other })
    doors[0].open()
    await eventually('the acknowledgement', () => seen.acknowledged.includes('a'))
    await consumer.addQueue(other)
    await eventually('the second delivery', () => seen.ids.length === 2)
    await consumer.cancelQueue(other)
    let closed = false
    const closing = consumer.close('finish').then(() => {
      closed = true
    })
    await scene.publish('c')
    await consumer.addQueue(other)
    assert.equal(closed, false)
    doors[1].open()
    await closing
    assert.deepEqual(
      [seen.ids, seen.acknowledged],
      [
        ['a', 'b'],
        ['a', 'b'],
      ],
    )
  })

  test('a consumer that is paused takes nothing from a queue that it is given, until it is resumed', async (scene) => {
    const other = scene.queue('other')
    const { consumer, seen } = await scene.watch()
    await consumer.pause()
    await scene.publish('a', { queue: other })
    await consumer.addQueue(other)
    const next = await scene.watch()
    await scene.publish('b')
    await eventually('another consumer', () => next.seen.acknowledged.includes('b'))
    assert.deepEqual(seen.ids, [])
    await consumer.resume()
    await eventually('the queue', () => seen.acknowledged.includes('a'))
  })

  test('a message whose delivery rejects is put back, and others go on', async (scene) => {
    await scene.publish('a')
    await scene.publish('b')
    const { seen } = await scene.watch(async ({ message }) => {
      if (message.id === 'a') throw new Error('broken on purpose')
      return ACK
    })
    await eventually('the other message', () => seen.acknowledged.includes('b'))
    assert.equal(await scene.engine.state(scene.queue('default'), 'a'), 'delayed')
    assert.deepEqual([seen.ids, seen.acknowledged], [['a', 'b'], ['b']])
  })

  for (const verdict of [ACK, { verdict: 'putBack', delayMs: 0 }] as const) {
    test(`no trouble is told of a message that was removed in a consumer's hands: ${verdict.verdict}`, async (scene) => {
      const door = gate<Verdict>()
      const { seen } = await scene.watch(async ({ message }) => (message.id === 'a' ? door.opened : ACK))
      await scene.publish('a')
      await eventually('its delivery', () => seen.ids.length === 1)
      await scene.engine.destroy([scene.queue('default')])
      door.open(verdict)
      const next = scene.publish('b')
      await eventually('a later one', () => seen.ids.includes('b'))
      await next
      assert.deepEqual([seen.ids.filter((id) => id === 'b').length, seen.trouble], [1, []])
    })
  }

  test('no trouble is told of a message that a blocked consumer had for too long; it comes again', async (scene) => {
    const { seen } = await scene.watch(async () => {
      const until = performance.now() + (seen.ids.length === 1 ? 2 * REDELIVER_MS : 0)
      while (performance.now() < until);
      return ACK
    })
    await scene.publish('a')
    await eventually('its end', async () => ENDED.includes(await scene.engine.state(scene.queue('default'), 'a')))
    await scene.publish('b')
    await eventually('a later one', () => seen.acknowledged.includes('b'))
    assert.deepEqual(seen.trouble, [])
  })
}
