import assert from 'node:assert/strict'
import type { Barrier } from '../../src/lock/barrier.js'
import type { LockKey } from '../../src/lock/key.js'
import type { TestKit } from './kit.js'

/** Barriers of one server, or quorum: as many as a test asks for, each as if of a process of its own. */
export interface BarrierBench {
  /** `other`: of another app. */
  open(app?: 'other'): Promise<Barrier>
  /** Closes all that were opened. */
  close(): Promise<void>
}

export type OpenBarrier = () => Promise<BarrierBench>

const KEY = 'task:0123456789abcdef' as LockKey
const seat = (slot: number) => ({ key: KEY, slot })

/** What every barrier must do, whatever it is made of. */
export function barrierContract({ describe, it }: TestKit, openBench: OpenBarrier): void {
  const scene = (title: string, body: (bench: BarrierBench) => Promise<void>): unknown =>
    it(title, async () => {
      const bench = await openBench()
      try {
        await body(bench)
      } finally {
        await bench.close()
      }
    })

  describe('barrier', () => {
    scene('keeps a seat from everybody else until it is dropped', async (bench) => {
      const [one, two] = [await bench.open(), await bench.open()]
      assert.equal(await one.take(seat(0)), 'taken')
      assert.equal(await two.take(seat(0)), 'refused')
      assert.equal(await two.take(seat(1)), 'taken', 'another seat of the key is free')
      await two.drop(seat(0))
      assert.equal(await two.take(seat(0)), 'refused', 'who does not hold it drops nothing')
      await one.drop(seat(0))
      assert.equal(await two.take(seat(0)), 'taken')
    })

    scene('[P13] refuses a seat that this process holds, also while it is being taken', async (bench) => {
      const barrier = await bench.open()
      const answers = await Promise.all([barrier.take(seat(0)), barrier.take(seat(0))])
      assert.deepEqual(answers.sort(), ['refused', 'taken'])
      assert.equal(await barrier.take(seat(0)), 'refused')
      await barrier.drop(seat(0))
      assert.equal(await (await bench.open()).take(seat(0)), 'taken', 'one drop is enough')
    })

    scene('[P1] gives a seat to one at most of many that ask at once', async (bench) => {
      const barriers = await Promise.all(Array.from({ length: 6 }, () => bench.open()))
      const answers = await Promise.all(barriers.map((barrier) => barrier.take(seat(0))))
      assert.ok(answers.filter((answer) => answer === 'taken').length <= 1, answers.join())
    })

    scene('takes, prolongs and drops many seats at once', async (bench) => {
      const barrier = await bench.open()
      const seats = Array.from({ length: 50 }, (_, slot) => seat(slot))
      for (let round = 0; round < 2; round += 1) {
        assert.deepEqual([...new Set(await Promise.all(seats.map((each) => barrier.take(each))))], ['taken'])
        assert.deepEqual([...new Set(await barrier.extend(seats))], ['extended'])
        await Promise.all(seats.map((each) => barrier.drop(each)))
      }
    })

    scene("does not meet another app's seats", async (bench) => {
      assert.equal(await (await bench.open()).take(seat(0)), 'taken')
      assert.equal(await (await bench.open('other')).take(seat(0)), 'taken')
    })

    scene('[P8] frees what it holds when it is closed', async (bench) => {
      const barrier = await bench.open()
      await barrier.take(seat(0))
      await barrier.close()
      assert.equal(await (await bench.open()).take(seat(0)), 'taken')
    })
  })
}
