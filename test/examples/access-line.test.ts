import assert from 'node:assert/strict'
import { demo } from './log-rollup.js'

describe('the demonstration’s access log', () => {
  it('is the same for the same seed, and another one for another', async () => {
    assert.deepEqual(await lines(7, 200), await lines(7, 200))
    assert.notDeepEqual(await lines(7, 200), await lines(8, 200))
  })

  it('is common log format: every line counts in a cell of minute, path and status', async () => {
    const { cellOf } = await demo<{ cellOf(line: string): string | undefined }>('rollup.js')
    const cells = (await lines(1, 2000)).map((line) => cellOf(line.slice(0, -1)))
    assert.ok(cells.every((cell) => /^\d\d\/Jan\/2026:\d\d:\d\d \/\S* \d{3}$/.test(cell ?? '')))
    assert.ok(new Set(cells).size > 50)
  })

  it('has times that never go back', async () => {
    const clocks = (await lines(3, 2000)).map((line) => line.slice(line.indexOf(':') + 1, line.indexOf(' +')))
    assert.deepEqual(clocks, clocks.toSorted())
  })
})

async function lines(seed: number, count: number): Promise<string[]> {
  const { accessLines } = await demo<{ accessLines(seed: number): Generator<string, never> }>('access-line.js')
  const log = accessLines(seed)
  return Array.from({ length: count }, () => log.next().value)
}
