import assert from 'node:assert/strict'
import { StoreClock } from '../../src/beat/store-clock.js'

describe("the store's clock as a beat goes by it", () => {
  it('[P15] is never ahead of the store, and as close as the quickest of the last answers', () => {
    let mono = 0
    const storeNow = () => 1_000_000 + mono
    const clock = new StoreClock(() => mono)
    for (const tookMs of [300, 2, 150, 40]) {
      const answered = storeNow()
      mono += tookMs
      clock.observe(answered)
      assert.ok(clock.now() <= storeNow())
    }
    assert.equal(storeNow() - clock.now(), 2)
  })

  it('follows a clock that is set, back too', () => {
    let mono = 0
    const clock = new StoreClock(() => mono)
    clock.observe(1_000_000)
    mono += 500
    clock.observe(900_500)
    assert.equal(clock.now(), 900_500)
    mono += 500
    clock.observe(2_000_000)
    assert.equal(clock.now(), 2_000_000)
  })
})
