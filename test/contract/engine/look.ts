import assert from 'node:assert/strict'
import type { EngineState } from '../../../src/lock/doubt.js'
import type { Verdict } from '../../../src/task-base/engine.js'
import { ACK, ENDED, type EngineTest, eventually, gate } from './scene.js'

/** What the engine tells about messages, and the removal of queues. */
export function lookContract(test: EngineTest): void {
  test('[P8] the state of a message is told from publish to end', async (scene) => {
    const queue = scene.queue('default')
    const state = (id: string): Promise<EngineState> => scene.engine.state(queue, id)
    assert.equal(await state('a'), 'absent')
    await scene.publish('a')
    await scene.publish('later', { delayMs: 60_000 })
    await scene.publish('low', { priority: 9 })
    assert.deepEqual(await Promise.all([state('a'), state('later'), state('low')]), ['waiting', 'delayed', 'waiting'])
    const verdict = gate<Verdict>()
    const { seen } = await scene.watch(({ message }) => (message.id === 'a' ? verdict.opened : Promise.resolve(ACK)))
    await eventually('the delivery', () => seen.ids.length === 1)
    assert.equal(await state('a'), 'active')
    verdict.open(ACK)
    await eventually('the acknowledgement', () => seen.acknowledged.includes('a'))
    assert.ok(ENDED.includes(await state('a')))
    assert.equal(await scene.engine.state(scene.queue('other'), 'later'), 'absent', 'in another queue')
  })

  test('a message can be looked at while it waits, is delayed or under way, and no longer', async (scene) => {
    const queue = scene.queue('default')
    const published = scene.message('a')
    await scene.engine.publish(published, { delayMs: 0, head: false })
    await scene.publish('later', { delayMs: 60_000 })
    const verdict = gate<Verdict>()
    assert.deepEqual(await scene.engine.peek(queue, 'a'), published)
    assert.equal((await scene.engine.peek(queue, 'later'))?.id, 'later')
    assert.equal(await scene.engine.peek(queue, 'b'), null)
    assert.equal(await scene.engine.peek(scene.queue('other'), 'a'), null)
    const { seen } = await scene.watch(() => verdict.opened)
    await eventually('the delivery', () => seen.ids.length === 1)
    assert.equal((await scene.engine.peek(queue, 'a'))?.id, 'a')
    verdict.open(ACK)
    await eventually('the acknowledgement', () => seen.acknowledged.includes('a'))
    assert.equal(await scene.engine.peek(queue, 'a'), null)
  })

  test('a message put back is delayed', async (scene) => {
    await scene.publish('a')
    const { seen } = await scene.watch(async () => ({ verdict: 'putBack', delayMs: 60_000 }))
    await eventually('the delivery', () => seen.ids.length === 1)
    const queue = scene.queue('default')
    await eventually('the delay', async () => (await scene.engine.state(queue, 'a')) === 'delayed')
  })

  test('waiting, delayed and active messages are counted by queue', async (scene) => {
    const queue = scene.queue('default')
    assert.deepEqual(await scene.engine.counts(queue), { waiting: 0, delayed: 0, active: 0 })
    for (const id of ['a', 'b']) await scene.publish(id)
    await scene.publish('low', { priority: 9 })
    await scene.publish('later', { delayMs: 60_000 })
    await scene.publish('elsewhere', { queue: scene.queue('other') })
    assert.deepEqual(await scene.engine.counts(queue), { waiting: 3, delayed: 1, active: 0 })
    const verdict = gate<Verdict>()
    const { seen } = await scene.watch(() => verdict.opened)
    await eventually('the delivery', () => seen.ids.length === 1)
    assert.deepEqual(await scene.engine.counts(queue), { waiting: 2, delayed: 1, active: 1 })
    verdict.open(ACK)
    await eventually('all acknowledgements', () => seen.acknowledged.length === 3)
    assert.deepEqual(await scene.engine.counts(queue), { waiting: 0, delayed: 1, active: 0 })
  })

  test('a purge shows what waits or is delayed, removes what it may, and nothing that somebody has in hand', async (scene) => {
    const queue = scene.queue('default')
    const many = Array.from({ length: 130 }, (_, at) => `many-${at}`)
    for (const id of ['held', ...many]) await scene.publish(id)
    await scene.publish('low', { priority: 9 })
    await scene.publish('later', { delayMs: 60_000 })
    await scene.publish('round', { round: 2 })
    await scene.publish('elsewhere', { queue: scene.queue('other') })
    const verdict = gate<Verdict>()
    const { consumer, seen } = await scene.watch(() => verdict.opened)
    await eventually('the delivery', () => seen.ids.length === 1)
    const pausing = consumer.pause()
    const shown: string[] = []
    const removed: string[][] = []
    await scene.engine.purge(queue, {
      ended: async ({ id }) => {
        shown.push(id)
        // As a parked call that gets its turn meanwhile.
        if (id === 'many-7') await scene.publish('new', { head: true })
        return !['many-3', 'new'].includes(id)
      },
      removed: async (messages) => void removed.push(messages.map(({ id }) => id)),
    })
    const expected = [...many, 'low', 'later', 'round'].sort()
    assert.deepEqual(shown.filter((id) => id !== 'new').sort(), expected)
    assert.deepEqual(removed.flat().sort(), expected.filter((id) => id !== 'many-3').sort())
    assert.ok(
      removed.every((some) => some.length <= 100),
      'never all at once',
    )
    assert.deepEqual(await scene.engine.counts(queue), { waiting: 2, delayed: 0, active: 1 })
    assert.equal(await scene.engine.state(queue, 'many-3'), 'waiting')
    assert.equal(await scene.engine.state(queue, 'round', 2), 'absent')
    assert.equal(await scene.engine.state(scene.queue('other'), 'elsewhere'), 'waiting')
    verdict.open(ACK)
    await pausing
    await eventually('the acknowledgement', () => seen.acknowledged.length === 1)
  })

  test('what waits for its time is shown, the next due first', async (scene) => {
    const queue = scene.queue('default')
    assert.deepEqual(await scene.engine.delayed(queue, 10), [])
    await scene.publish('now')
    await scene.publish('last', { delayMs: 90_000 })
    const first = scene.message('first', { args: [{ text: 'ü \u0000 "x"' }] })
    await scene.publish('first', { ...first, delayMs: 30_000 })
    await scene.publish('second', { delayMs: 60_000 })
    const delayed = await (await scene.another()).delayed(queue, 10)
    assert.deepEqual(
      delayed.map(({ id }) => id),
      ['first', 'second', 'last'],
    )
    assert.deepEqual(delayed[0], first)
    assert.deepEqual(
      (await scene.engine.delayed(queue, 2)).map(({ id }) => id),
      ['first', 'second'],
    )
  })

  test('queues that something was published to are known to all', async (scene) => {
    const [queue, other] = [scene.queue('default'), scene.queue('other')]
    await scene.publish('a')
    await scene.publish('b', { queue: other })
    const engine = await scene.another()
    await eventually('both queues', async () => {
      const queues = await engine.queues()
      return queues.includes(queue) && queues.includes(other)
    })
    assert.ok(!(await engine.queues()).includes(scene.queue('never-used')))
  })

  test('destroy removes the named queues with all they hold, and no other', async (scene) => {
    const queue = scene.queue('default')
    const other = scene.queue('other')
    await scene.publish('a')
    await scene.publish('later', { delayMs: 60_000 })
    await scene.publish('kept', { queue: other })
    await scene.engine.destroy([queue, scene.queue('never-used')])
    assert.deepEqual(await scene.engine.counts(queue), { waiting: 0, delayed: 0, active: 0 })
    assert.equal(await scene.engine.state(queue, 'a'), 'absent')
    assert.equal(await scene.engine.state(other, 'kept'), 'waiting')
    await scene.publish('a')
    assert.equal(await scene.engine.state(queue, 'a'), 'waiting', 'a destroyed queue can be used again')
  })
}
