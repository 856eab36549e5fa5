import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { createEmitter } from '../../src/lock/emit.js'

describe('an emitter', () => {
  it('goes on after a listener that throws, and one that rejects: neither ends the process', async () => {
    const heard: number[] = []
    const unhandled: unknown[] = []
    const note = (reason: unknown) => void unhandled.push(reason)
    process.on('unhandledRejection', note)
    const emitter = createEmitter<{ tick: number }>()
    emitter.on('tick', () => {
      throw new Error('a subscriber that throws')
    })
    emitter.on('tick', async () => {
      throw new Error('a subscriber that rejects')
    })
    emitter.on('tick', (n) => void heard.push(n))
    emitter.emit('tick', 1)
    await turn()
    await turn()
    process.off('unhandledRejection', note)
    assert.deepEqual(unhandled, [])
    assert.deepEqual(heard, [1])
  })
})
