import assert from 'node:assert/strict'
import { restartPauseMs } from '../../src/worker/restart-pause.js'

describe('the pause before a child is started again', () => {
  const pauses = (killed: boolean) =>
    [1, 2, 3, 4, 5, 6, 7, 8, 2000].map((failures) => restartPauseMs({ failures, killed }))

  it('doubles up to 10 s where children fail by themselves', () => {
    assert.deepEqual(pauses(false), [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000])
  })

  it('is never more than 1 s, and never none, where somebody kills them', () => {
    assert.deepEqual(pauses(true), [200, 400, 800, 1000, 1000, 1000, 1000, 1000, 1000])
  })
})
