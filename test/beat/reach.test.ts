import assert from 'node:assert/strict'
import { Reach } from '../../src/beat/reach.js'
import { BrokerUnavailable } from '../../src/lock/error.js'
import { until } from '../support/until.js'

describe("a beat's reach of its servers", () => {
  it('names the one that has refused, or not answered, for ten seconds; and no more once it answers', async () => {
    let now = 1_000_000
    let asked = 0
    let broker = async (): Promise<unknown> => undefined
    const servers = [
      { name: 'locks', ask: async () => undefined },
      { name: 'redis://db:6379/0', ask: () => broker().finally(() => (asked += 1)) },
    ]
    const reach = new Reach({ servers, everyMs: 1, monotonic: () => now })
    const anotherAnswer = (from = asked) => until(() => asked >= from + 2)
    try {
      await anotherAnswer()
      assert.equal(reach.why, null)
      broker = () => Promise.reject(new BrokerUnavailable('redis://db:6379/0', 'ECONNREFUSED'))
      await anotherAnswer()
      now += 9_000
      await anotherAnswer()
      assert.equal(reach.why, null)
      now += 3_000
      const refused = 'redis://db:6379/0 has not answered for 12 s: redis://db:6379/0 cannot be reached: ECONNREFUSED'
      await until(() => reach.why === refused, { what: refused })
      broker = async () => undefined
      await until(() => reach.why === null)
      broker = () => new Promise<never>(() => {})
      now += 11_000
      await until(() => reach.why === 'redis://db:6379/0 has not answered for 11 s')
    } finally {
      reach.stop()
    }
  })
})
