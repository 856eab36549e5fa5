import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { COMMANDS_KEPT, type Command } from '../../../src/lock/command.js'
import type { SceneTest } from './scene.js'

const LONG_MS = 60_000
const ODD = '{"text":"ü \\u0000 \\"quoted\\" 🦉"}'

function command(id: string, over: Partial<Command> = {}): Command {
  return { id, body: `{"id":"${id}"}`, to: ['w1@host', 'w2@host'], ttlMs: LONG_MS, ...over }
}

/** What workers are asked, and what they answer. */
export function commandContract(test: SceneTest): void {
  test('a command is found by those it is for, in the order of asking, until they have answered', async (scene) => {
    const { commands } = scene.store
    const other = (await scene.another()).commands
    await commands.give(command('first', { body: ODD }))
    await scene.advanceTime(5)
    await commands.give(command('second', { to: ['w1@host'], ttlMs: 30_000 }))
    const found = await other.pending('w1@host', 0)
    assert.deepEqual(
      found.map(({ id, body }) => [id, body]),
      [
        ['first', ODD],
        ['second', '{"id":"second"}'],
      ],
    )
    const [first] = found
    assert.ok(first && first.remainingMs > 0 && first.remainingMs <= LONG_MS)
    assert.deepEqual(idsOf(await other.pending('w2@host', 0)), ['first'])
    assert.deepEqual(await other.pending('w3@host', 0), [])
    assert.equal(await other.answer('first', { worker: 'w1@host', answer: ODD }), true)
    assert.deepEqual(idsOf(await commands.pending('w1@host', 0)), ['second'])
    assert.deepEqual(await commands.answers('first', []), [{ worker: 'w1@host', answer: ODD }])
    assert.deepEqual(await commands.answers('first', ['w1@host']), [])
    assert.deepEqual(await commands.answers('second', []), [])
  })

  test('a worker that came after a command does not find it, though its name was asked', async (scene) => {
    const { commands } = scene.store
    await commands.give(command('before'))
    await scene.advanceTime(20)
    const since = await scene.store.now()
    assert.deepEqual(await commands.pending('w1@host', since), [])
    await scene.advanceTime(20)
    await commands.give(command('after'))
    assert.deepEqual(idsOf(await commands.pending('w1@host', since)), ['after'])
  })

  test('the first answer of a worker counts, and only of one that was asked', async (scene) => {
    const { commands } = scene.store
    await commands.give(command('a'))
    assert.equal(await commands.answer('a', { worker: 'w1@host', answer: '1' }), true)
    assert.equal(await commands.answer('a', { worker: 'w1@host', answer: '2' }), true, 'as after a lost reply')
    assert.equal(await commands.answer('a', { worker: 'w3@host', answer: '3' }), false)
    assert.equal(await commands.answer('nothing', { worker: 'w1@host', answer: '1' }), false)
    assert.deepEqual(await commands.answers('a', []), [{ worker: 'w1@host', answer: '1' }])
  })

  test('the same command again is given once', async (scene) => {
    const { commands } = scene.store
    await commands.give(command('a'))
    await commands.answer('a', { worker: 'w1@host', answer: '1' })
    await commands.give(command('a'))
    assert.deepEqual(await commands.pending('w1@host', 0), [])
    assert.deepEqual(idsOf(await commands.pending('w2@host', 0)), ['a'])
  })

  test('nothing is left of a command that is over or was taken back', async (scene) => {
    const { commands } = scene.store
    await commands.give(command('short', { ttlMs: 50 }))
    await commands.give(command('dropped'))
    await commands.drop('dropped')
    await scene.advanceTime(60)
    for (const id of ['short', 'dropped', 'never']) {
      assert.equal(await commands.answer(id, { worker: 'w1@host', answer: '1' }), false, id)
      assert.deepEqual(await commands.answers(id, []), [], id)
      await commands.drop(id)
    }
    assert.deepEqual(await commands.pending('w1@host', 0), [])
  })

  test('[P23] no more commands are kept than there is room for, however many nobody answers', async (scene) => {
    const { commands } = scene.store
    await commands.give(command('first to end', { ttlMs: 30_000 }))
    await Promise.all(Array.from({ length: COMMANDS_KEPT }, (_, n) => commands.give(command(`c${n}`))))
    const ids = idsOf(await commands.pending('w1@host', 0))
    assert.equal(ids.length, COMMANDS_KEPT)
    assert.ok(!ids.includes('first to end'))
  })

  test('who is asked is told at once, and so is who asked', async (scene) => {
    const { store } = scene
    const other = await scene.another()
    const heard = new Map<string, number>()
    const count = (topic: string) => () => void heard.set(topic, (heard.get(topic) ?? -1) + 1)
    for (const topic of ['command:w1@host', 'command:w3@host', 'answer:a'] as const) other.listen(topic, count(topic))
    await until(() => heard.size === 3, 'everyone to hear')
    await store.commands.give(command('a'))
    await until(() => (heard.get('command:w1@host') ?? 0) > 0, 'the notice of a command')
    await store.commands.answer('a', { worker: 'w1@host', answer: '1' })
    await until(() => (heard.get('answer:a') ?? 0) > 0, 'the notice of an answer')
    assert.equal(heard.get('command:w3@host'), 0)
  })

  test('commands are forgotten with their app, and are no other app’s', async (scene) => {
    const other = await scene.another(`${scene.app}-other`)
    try {
      await scene.store.commands.give(command('a'))
      assert.deepEqual(await other.commands.pending('w1@host', 0), [])
      await other.commands.give(command('b'))
      await scene.store.destroy()
      assert.deepEqual(await scene.store.commands.pending('w1@host', 0), [])
      assert.deepEqual(idsOf(await other.commands.pending('w1@host', 0)), ['b'])
    } finally {
      await other.destroy()
    }
  })
}

function idsOf(found: readonly { readonly id: string }[]): string[] {
  return found.map(({ id }) => id)
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (const end = performance.now() + 5_000; !condition(); await sleep(5)) {
    assert.ok(performance.now() < end, `waited 5 s for ${what}`)
  }
}
