import assert from 'node:assert/strict'
import { openEngine } from '../../adapters/bullmq/index.js'
import { openLockStore } from '../../adapters/redis/index.js'
import { PublishUnknown, ServerUnavailable, UsageError } from '../../src/index.js'
import { acquiring, releasing } from '../contract/lock-store/scene.js'
import { type FlowScene, startScene } from '../support/flow-scene.js'
import { type Sentinels, startSentinels } from '../support/redis-sentinels.js'
import { until } from '../support/until.js'

describe('Redis behind sentinels', function () {
  this.timeout(120_000)
  let sentinels: Sentinels

  before(async () => {
    sentinels = await startSentinels()
  })
  after(() => sentinels?.stop())

  it('a primary that is killed costs no run and no call', async () => {
    const scene = await startScene({ place: sentinels, app: 'sentinel', lease: '15s' })
    try {
      await goesOn(scene, 1, async () => {
        await sentinels.replicated()
        const old = await sentinels.primary()
        process.kill(old.pid, 'SIGKILL')
        // Before that it would come back as an empty primary to those whom a sentinel still sends there.
        await sentinels.follow(old)
        await old.restart()
      })
      await scene.idle()
    } finally {
      await scene.stop()
    }
  })

  it('a primary that is made a replica while it lives is left for the new one', async () => {
    const store = await openLockStore({ app: 'switched', url: sentinels.url, server: 'db1' })
    try {
      assert.equal((await store.acquire(acquiring('a'))).outcome, 'granted')
      await sentinels.switchOver()
      const refused = await until(() => orNothing(() => store.acquire(acquiring('b'))), { what: 'an answer' })
      assert.equal(refused.outcome, 'refused')
      assert.equal((await store.release(releasing('a', null))).outcome, 'released')
    } finally {
      await store.close()
    }
  })

  it('shows no password of sentinels or data nodes', async () => {
    const scene = await startScene({ place: sentinels, app: 'sentinel-shown' })
    try {
      const { broker, locks } = (await scene.app.connection()).servers
      assert.deepEqual([broker, locks], Array(2).fill(`redis+sentinel://${sentinels.hosts}/mymaster/0`))
    } finally {
      await scene.stop()
    }
  })

  const { UNKNOWN, REFUSED } = {
    UNKNOWN: /its sentinels know no primary of that name; write the one that they monitor/,
    REFUSED: /its sentinels refuse the login; give theirs as sentinelUsername and sentinelPassword/,
  }

  it('tells at once of a primary that sentinels do not know, and of logins that they or the primary refuse', async () => {
    const { hosts, dataPassword, sentinelPassword } = sentinels
    const login = `sentinelPassword=${sentinelPassword}`
    await refused(`redis+sentinel://:${dataPassword}@${hosts}/other?${login}`, UNKNOWN)
    await refused(`redis+sentinel://:${dataPassword}@${hosts}/mymaster?sentinelPassword=wr0ng`, REFUSED)
    await refused(`redis+sentinel://:${dataPassword}@${hosts}/mymaster`, REFUSED)
    await refused(`redis+sentinel://:wr0ng@${hosts}/mymaster?${login}`, /user (name )?or password/)
  })

  it('[P24] none of which answers is unavailable in bounded time, and leaves nothing behind', async () => {
    const url = 'redis+sentinel://127.0.0.1:1,127.0.0.1:2/mymaster'
    for (const open of openings(url)) {
      await assert.rejects(open(), (error) => {
        assert.ok(error instanceof ServerUnavailable, String(error))
        assert.match(error.message, /none of its sentinels answers/)
        return true
      })
    }
  })
})

/** One run is under way and calls are made while `fault` happens; all of them end well. */
async function goesOn({ flow, started, finish }: FlowScene, n: number, fault: () => Promise<unknown>): Promise<void> {
  const running = await flow.slow.delay({ n, told: true })
  try {
    await started(running.id)
    await fault()
    const called = await until(
      () => orNothing(() => flow.tag.applyAsync([{ n, tag: 'after' }], { id: `after-${n}` })),
      {
        what: 'a call to be taken',
      },
    )
    assert.equal(await called.get({ timeout: '60s' }), 'after')
    finish(running.id)
    assert.equal(await running.get({ timeout: '60s' }), n)
  } finally {
    finish(running.id)
  }
}

/** Nothing where the server is away or its answer was lost: it says so, and the caller asks again under the same id. */
async function orNothing<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call()
  } catch (error) {
    if (error instanceof ServerUnavailable || error instanceof PublishUnknown) return undefined
    throw error
  }
}

function openings(url: string): (() => Promise<unknown>)[] {
  return [
    () => openLockStore({ app: 'sentinel', server: 'db1', url }),
    () => openEngine({ app: 'sentinel', server: 'db1', redis: { url } }),
  ]
}

async function refused(url: string, sentence: RegExp): Promise<void> {
  for (const open of openings(url)) {
    await assert.rejects(open(), (error) => {
      assert.ok(error instanceof UsageError, String(error))
      assert.match(error.message, sentence)
      assert.doesNotMatch(error.message, /wr0ng|-pw/)
      return true
    })
  }
}
