import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { Hands } from '../../adapters/bullmq/hands.js'
import { until } from '../support/until.js'

describe('the hands of a BullMQ consumer', () => {
  const widths: number[] = []
  beforeEach(() => void widths.splice(0))

  /** After deliveries so short that messages are taken ahead. */
  async function ahead(size: number): Promise<Hands> {
    const hands = new Hands(size, (width) => widths.push(width))
    assert.equal(hands.width, size)
    await until(async () => {
      const free = await hands.take()
      free?.()
      return hands.width === 2 * size
    })
    return hands
  }

  it('take messages ahead once deliveries are short, and no more once one is long', async () => {
    const hands = await ahead(2)
    const free = await hands.take()
    await sleep(120)
    free?.()
    assert.deepEqual([hands.width, widths], [2, [4, 2]])
  })

  it('put back what was taken ahead of deliveries that turn out to be long, and take nothing more ahead', async () => {
    const hands = await ahead(2)
    const [free] = [await hands.take(), await hands.take()]
    assert.equal(await hands.take(), undefined)
    assert.deepEqual([hands.width, widths], [2, [4, 2]])
    free?.()
    assert.ok(await hands.take())
  })

  it('hold no more at once than there are places, also when one is given back twice', async () => {
    const hands = await ahead(2)
    const [free] = [await hands.take(), await hands.take()]
    free?.()
    free?.()
    assert.ok(await hands.take())
    assert.equal(await hands.take(), undefined)
  })

  it('take nothing ahead for one place, so that its messages keep their order', async () => {
    const hands = new Hands(1, (width) => widths.push(width))
    for (let n = 0; n < 100; n += 1) (await hands.take())?.()
    assert.deepEqual([hands.width, widths], [1, []])
  })

  it('[P22] put back what waits when they close', async () => {
    const hands = await ahead(2)
    await hands.take()
    await hands.take()
    const waits = hands.take()
    hands.close()
    assert.equal(await waits, undefined)
    assert.equal(hands.closed, true)
  })
})
