import assert from 'node:assert/strict'
import { memoryServer, openMemory } from '../../adapters/memory/index.js'
import { createEmitter } from '../../src/lock/emit.js'
import type { WorkerRow } from '../../src/lock/worker-row.js'
import type { AppEvents } from '../../src/task-base/event.js'
import { followPeers } from '../../src/worker/follow-peers.js'
import { until } from '../support/until.js'

describe('a worker that follows its peers', () => {
  it('tells who comes, who stops, and who is not seen any more, but not who was there', async () => {
    let time = 1_700_000_000_000
    const { lockStore: store } = openMemory({ app: 'shop', server: memoryServer(() => time) })
    const seen = (name: string) => store.renew({ worker: { name } as WorkerRow, leases: [], acked: [] })
    for (const name of ['w1', 'w2', 'w3']) await seen(name)
    const told: string[] = []
    const events = createEmitter<AppEvents>()
    events.on('worker:joined', ({ worker, other }) => void told.push(`${worker}: ${other} joined`))
    events.on('worker:left', ({ worker, other, why }) => void told.push(`${worker}: ${other} ${why}`))
    let looks = 0
    const attendance = async () => {
      looks += 1
      return store.attendance()
    }
    const listen = store.listen
    const peers = followPeers({ store: { attendance, listen }, worker: 'w1', events, trouble: assert.ifError })
    await until(() => looks >= 1, { what: 'the first look' })
    await seen('w4')
    await until(() => told.length === 1)
    await store.leave('w2')
    await until(() => told.length === 2)
    time += 15_000
    await seen('w5')
    await until(() => told.length === 5)
    await peers.close()
    assert.deepEqual(told.slice(0, 2), ['w1: w4 joined', 'w1: w2 stopped'])
    assert.deepEqual(told.slice(2).sort(), ['w1: w3 silent', 'w1: w4 silent', 'w1: w5 joined'])
  })
})
