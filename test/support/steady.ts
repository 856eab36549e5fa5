import { readFileSync } from 'node:fs'
import type { TestKit } from '../contract/kit.js'
import { stalledMs } from './machine-time.js'

/** Well below the shortest time that a contract's scene has for its steps, which is 300 ms. */
const TOLERATED_MS = 100
const TIMES = 3

/**
 * Mocha's `describe` and `it` for the contracts on real servers and clocks. Their leases are so short that a machine which
 * does not run cannot keep them, and a test that fails then says nothing of the store: it is played again, from the
 * beginning and on a store of its own. One that fails on a machine that ran has failed.
 */
export const steady: TestKit = {
  describe,
  it: (title, body) => it(title, () => played(body)),
}

async function played(body: () => Promise<void>): Promise<void> {
  for (let time = 1; ; time += 1) {
    const [fromNs, heldUpBefore] = [process.hrtime.bigint(), heldUpMs()]
    try {
      return await body()
    } catch (error) {
      if (time === TIMES || stalledMs(fromNs) + heldUpMs() - heldUpBefore < TOLERATED_MS) throw error
    }
  }
}

/** For how long this thread was ready to run and had no processor, since it began; 0 where the system does not tell. */
function heldUpMs(): number {
  try {
    return Number(readFileSync('/proc/self/schedstat', 'utf8').split(' ')[1]) / 1e6
  } catch {
    return 0
  }
}
