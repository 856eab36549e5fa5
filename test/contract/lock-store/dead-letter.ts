import assert from 'node:assert/strict'
import type { Burial } from '../../../src/lock/dead-letter.js'
import { messageText, refTo, type SceneTest, TASK, termsOf } from './scene.js'

export function burialOf(messageId: string, over: Partial<Burial> = {}): Burial {
  const { label, queue } = termsOf()
  const message = messageText(messageId)
  return { ...refTo(messageId), task: TASK, label, queue, code: 'MAX_DELIVERIES', message, ...over }
}

/** Messages that were given up. */
export function deadLetterContract(test: SceneTest): void {
  test('[P10] a dead letter keeps the whole message, byte for byte, and tells what it was', async ({ store, app }) => {
    const { kept, now } = await store.dead.bury(burialOf('a'))
    assert.ok(kept)
    const { message, ...facts } = burialOf('a')
    assert.deepEqual(await store.dead.list({ allApps: false }), [{ app, ...facts, at: now }])
    assert.deepEqual(await store.dead.show('a'), { app, ...facts, at: now, message })
    assert.equal(await store.dead.show('b'), null)
  })

  test('[P21] burying or removing again gives the same answer and has no second effect', async ({ store }) => {
    const first = await store.dead.bury(burialOf('a'))
    const again = await store.dead.bury(burialOf('a', { message: 'another' }))
    assert.ok(first.kept && again.kept)
    const letter = await store.dead.show('a')
    assert.deepEqual([letter?.at, letter?.message], [first.now, messageText('a')])
    assert.ok((await store.dead.remove('a', 1)).removed)
    assert.ok((await store.dead.remove('a', 1)).removed)
    assert.equal(await store.dead.show('a'), null)
    assert.equal((await store.dead.remove('b', 1)).removed, false)
  })

  test('a late redelivery of a round that was removed brings it not back, a later round is kept', async ({ store }) => {
    await store.dead.bury(burialOf('a'))
    await store.dead.remove('a', 1)
    assert.equal((await store.dead.bury(burialOf('a'))).kept, false)
    assert.deepEqual(await store.dead.list({ allApps: false }), [])
    assert.ok((await store.dead.bury(burialOf('a', { round: 2 }))).kept)
    assert.equal((await store.dead.show('a'))?.round, 2)
  })

  test('a later round takes the place of an earlier one, and is not removed in its name', async ({ store }) => {
    await store.dead.bury(burialOf('a', { round: 2, code: 'LOCK_LOST' }))
    assert.equal((await store.dead.bury(burialOf('a'))).kept, false)
    assert.equal((await store.dead.remove('a', 1)).removed, false)
    const [letter, ...others] = await store.dead.list({ allApps: false })
    assert.deepEqual([letter?.round, letter?.code, others], [2, 'LOCK_LOST', []])
  })

  test('letters are listed the newest first, of one app or of all', async (scene) => {
    const other = await scene.another(`${scene.app}-b`)
    try {
      for (const [store, id] of [
        [scene.store, 'a'],
        [other, 'b'],
        [scene.store, 'c'],
      ] as const) {
        await store.dead.bury(burialOf(id))
        await scene.advanceTime(5)
      }
      const own = await scene.store.dead.list({ allApps: false })
      assert.deepEqual(
        own.map((letter) => letter.messageId),
        ['c', 'a'],
      )
      const all = (await scene.store.dead.list({ allApps: true })).filter(({ app }) => app.startsWith(scene.app))
      assert.deepEqual(
        all.map(({ app, messageId }) => [app, messageId]),
        [
          [scene.app, 'c'],
          [scene.app, 'a'],
          [`${scene.app}-b`, 'b'],
        ],
      )
      assert.equal(await other.dead.show('a'), null)
    } finally {
      await other.destroy()
    }
  })

  test('[P23] a thousand letters are kept, the oldest make room', async (scene) => {
    for (let at = 0; at < 1_000; at += 20) {
      const ids = Array.from({ length: 20 }, (_, n) => `m${at + n}`)
      await Promise.all(ids.map((id) => scene.store.dead.bury(burialOf(id))))
      if (at === 0) await scene.advanceTime(5)
    }
    await scene.advanceTime(5)
    await scene.store.dead.bury(burialOf('last'))
    const letters = await scene.store.dead.list({ allApps: false })
    assert.equal(letters.length, 1_000)
    assert.equal(letters[0]?.messageId, 'last')
    const oldest = Array.from({ length: 20 }, (_, n) => `m${n}`)
    const known = letters.filter(({ messageId }) => oldest.includes(messageId))
    assert.equal(known.length, 19, 'one of the oldest is gone')
  })

  test('[P23] 64 MB of messages are kept together, the oldest make room', async (scene) => {
    const message = 'ü'.repeat(8 * 1024 * 1024)
    for (const id of ['a', 'b', 'c', 'd', 'e']) {
      assert.ok((await scene.store.dead.bury(burialOf(id, { message }))).kept)
      await scene.advanceTime(5)
    }
    const ids = (await scene.store.dead.list({ allApps: false })).map(({ messageId }) => messageId)
    assert.deepEqual(ids, ['e', 'd', 'c', 'b'])
  })

  test('destroy forgets them', async ({ store }) => {
    await store.dead.bury(burialOf('a'))
    await store.destroy()
    assert.deepEqual(await store.dead.list({ allApps: false }), [])
  })
}
