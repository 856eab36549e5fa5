import assert from 'node:assert/strict'
import { Doorbell } from '../../src/lock/doorbell.js'

const LONG_MS = 60_000

describe('a doorbell', () => {
  it('ends the wait when it rings', async () => {
    const bell = new Doorbell()
    const waited = bell.wait(LONG_MS)
    bell.ring()
    await waited
  })

  it('that rang while nobody waited ends the next wait, and only that one', async () => {
    const bell = new Doorbell()
    bell.ring()
    bell.ring()
    await bell.wait(LONG_MS)
    const startedAt = performance.now()
    await bell.wait(20)
    assert.ok(performance.now() - startedAt >= 19)
  })

  it('ends the wait when the signal is aborted, before or meanwhile', async () => {
    const bell = new Doorbell()
    const controller = new AbortController()
    const waited = bell.wait(LONG_MS, controller.signal)
    controller.abort()
    await waited
    await bell.wait(LONG_MS, controller.signal)
  })
})
