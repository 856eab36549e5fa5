import { randomUUID } from 'node:crypto'
import { loseLocks, memoryServer, openMemory } from '../../adapters/memory/index.js'
import { engineContract } from '../contract/engine.contract.js'
import { lockStoreRecoveryContract } from '../contract/lock-store/recovery.js'
import { lockStoreContract } from '../contract/lock-store.contract.js'
import { scheduleStoreContract } from '../contract/schedule-store.contract.js'

const kit = { describe, it }

/** A server of its own for each test, its clock moved by hand. */
function handMoved() {
  let time = 1_700_000_000_000
  const server = memoryServer(() => time)
  const app = `app-${randomUUID()}`
  const advanceTime = async (ms: number): Promise<void> => {
    time += ms
  }
  return { app, server, advanceTime }
}

describe('memory', () => {
  lockStoreContract(kit, async () => {
    const { app, server, advanceTime } = handMoved()
    const store = openMemory({ app, server }).lockStore
    const another = async (name = app) => openMemory({ app: name, server }).lockStore
    return { app, store, advanceTime, another, close: () => store.close() }
  })

  lockStoreRecoveryContract(kit, async () => {
    const { app, server, advanceTime } = handMoved()
    const store = openMemory({ app, server }).lockStore
    const another = async (name = app) => openMemory({ app: name, server }).lockStore
    const lose = async (): Promise<void> => loseLocks(server, app)
    return { app, store, advanceTime, another, lose, close: () => store.close() }
  })

  scheduleStoreContract(kit, async () => {
    const { app, server, advanceTime } = handMoved()
    const store = openMemory({ app, server }).scheduleStore
    const another = async (name = app) => openMemory({ app: name, server }).scheduleStore
    return { app, store, advanceTime, another, close: () => store.close() }
  })

  engineContract(kit, async () => {
    const server = memoryServer()
    const engine = openMemory({ app: 'shop', server }).engine
    const others: (typeof engine)[] = []
    return {
      engine,
      another: async () => {
        const other = openMemory({ app: 'shop', server }).engine
        others.push(other)
        return other
      },
      close: async () => {
        await Promise.all([engine, ...others].map((each) => each.close()))
      },
    }
  })
})
