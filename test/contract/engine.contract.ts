import { carryContract } from './engine/carry.js'
import { consumeContract } from './engine/consume.js'
import { lookContract } from './engine/look.js'
import { engineTests, type OpenEngine } from './engine/scene.js'
import type { TestKit } from './kit.js'

/**
 * What every engine must do, in real time. `open` is called once a test; queue names are never used twice.
 *
 * A redelivery is waited for in earnest: one run takes about 15 s.
 */
export function engineContract(kit: TestKit, open: OpenEngine): void {
  kit.describe('engine contract', () => {
    kit.describe('carry', () => carryContract(engineTests(kit, open)))
    kit.describe('consume', () => consumeContract(engineTests(kit, open)))
    kit.describe('look', () => lookContract(engineTests(kit, open)))
  })
}
