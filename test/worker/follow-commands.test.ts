import assert from 'node:assert/strict'
import { memoryServer, openMemory } from '../../adapters/memory/index.js'
import type { CommandStore } from '../../src/lock/command.js'
import type { LockStore } from '../../src/lock/lock-store.js'
import type { WorkerRow } from '../../src/lock/worker-row.js'
import { askWorkers, chosen } from '../../src/task-base/ask-workers.js'
import type { CommandBody } from '../../src/task-base/worker-command.js'
import { ANSWER_BYTES, answerText } from '../../src/worker/command-answer.js'
import { followCommands, type Obeyed } from '../../src/worker/follow-commands.js'
import { until } from '../support/until.js'

/** A worker that follows commands on a store of its own. */
async function following(
  obey: (body: CommandBody) => Promise<Obeyed>,
  { over = {}, deaf = false }: { over?: Partial<CommandStore>; deaf?: boolean } = {},
) {
  const { lockStore } = openMemory({ app: 'shop', server: memoryServer() })
  const store: LockStore = lockStore
  const listen: LockStore['listen'] = deaf ? () => () => undefined : (topic, look) => store.listen(topic, look)
  const trouble: Error[] = []
  await store.renew({ worker: { name: 'w1' } as WorkerRow, leases: [], acked: [] })
  const commands = { ...store.commands, ...over }
  const since = await store.now()
  const options = { worker: 'w1', since, obey, trouble: (error: Error) => void trouble.push(error) }
  const lookOut = followCommands({ store: { commands, listen }, ...options })
  return { store, lookOut, trouble }
}

const grow = { do: 'grow', by: 1 } as const

describe('a worker that follows commands', () => {
  it('does a command once, though its answer is lost and has to be given again', async () => {
    let [done, lost] = [0, 0]
    const { store, lookOut, trouble } = await following(async () => ({ ok: ++done }), {
      over: {
        async answer(id, answer) {
          if (lost++ === 0) throw new Error('no reply')
          return store.commands.answer(id, answer)
        },
      },
    })
    try {
      const { answers } = await askWorkers(store, grow, { timeout: '30s' })
      assert.deepEqual([answers, done, lost, trouble.length], [{ w1: 1 }, 1, 2, 1])
    } finally {
      await lookOut.close()
    }
  }).timeout(40_000)

  it('finds a command by looking where no notice reaches it', async () => {
    const { store, lookOut } = await following(async ({ from }) => ({ ok: from }), { deaf: true })
    try {
      // Its first look is over: what follows is found by a later one.
      await new Promise((resolve) => setTimeout(resolve, 100))
      assert.deepEqual((await askWorkers(store, grow, { timeout: '30s', by: 'anna' })).answers, { w1: 'anna' })
    } finally {
      await lookOut.close()
    }
  }).timeout(40_000)

  it('does not keep a question waiting for a change that takes long, and acts after it has answered', async () => {
    let go = (): void => undefined
    const gate = new Promise<void>((resolve) => {
      go = resolve
    })
    const order: string[] = []
    const { store, lookOut } = await following(
      async ({ command }) => {
        if (command.do === 'grow') await gate
        return { ok: command.do, after: () => void order.push(`after ${command.do}`) }
      },
      {
        over: {
          async answer(id, answer) {
            order.push(`answer ${JSON.parse(answer.answer).ok}`)
            return store.commands.answer(id, answer)
          },
        },
      },
    )
    const growing = askWorkers(store, grow, { timeout: '30s' })
    const asked = await askWorkers(store, { do: 'inspect', what: 'ping' }, { timeout: '30s' })
    assert.deepEqual(asked.answers, { w1: 'inspect' })
    go()
    assert.deepEqual((await growing).answers, { w1: 'grow' })
    await until(() => order.length === 4, { what: 'what comes after' })
    assert.deepEqual(order, ['answer inspect', 'after inspect', 'answer grow', 'after grow'])
    await lookOut.close()
  })

  it('answers why, where it cannot, and where the command is of another version', async () => {
    const { store, lookOut } = await following(async () => {
      throw new Error('out of\u202e processes')
    })
    const { failed, silent } = await askWorkers(store, grow, { timeout: '30s' })
    assert.deepEqual([failed, silent], [{ w1: 'out of\\u{202e} processes' }, []])
    await store.commands.give({ id: 'next', body: '{"v":2}', to: ['w1'], ttlMs: 60_000 })
    const next = await until(async () => (await store.commands.answers('next', []))[0])
    assert.match(next.answer, /of another version of beatlock/)
    await lookOut.close()
  })
})

describe('workers that are asked', () => {
  it('are meant by their whole name, or by its part before the host; names that mean nobody are told', () => {
    const living = ['w2@b', 'w1@a', 'w1@b', 'w10@a']
    assert.deepEqual(chosen(living, undefined), { to: ['w10@a', 'w1@a', 'w1@b', 'w2@b'], absent: [] })
    assert.deepEqual(chosen(living, ['w1', 'w1@a', 'w2@b', 'w3']), { to: ['w1@a', 'w1@b', 'w2@b'], absent: ['w3'] })
  })

  it('[P23] answer no more than there is room for, and say how much was left out', () => {
    const list = Array.from({ length: 2_000 }, (_, n) => ({ n, text: 'ü'.repeat(200) }))
    const text = answerText(list)
    assert.ok(Buffer.byteLength(text) <= ANSWER_BYTES)
    const { ok, omitted } = JSON.parse(text) as { ok: unknown[]; omitted: number }
    assert.deepEqual(ok, list.slice(0, ok.length))
    assert.ok(ok.length > 500 && omitted === list.length - ok.length)
    assert.deepEqual(JSON.parse(answerText(['a'])), { v: 1, ok: ['a'], omitted: 0 })
    assert.match(answerText('x'.repeat(ANSWER_BYTES)), /its answer is too large/)
  })
})
