import assert from 'node:assert/strict'
import { parseByteSize } from '../../src/task-base/byte-size.js'
import { readWorkerOptions } from '../../src/task-base/worker-options.js'
import { warmsNext } from '../../src/worker/recycle.js'

describe('recycling', () => {
  it('warms the next child with the last body, or earlier where bodies are shorter than a start', () => {
    const wear = { maxTasks: 10, servedMs: 0, startMs: 300 }
    assert.equal(warmsNext({ ...wear, runs: 10, servedMs: 1e9 }), true)
    assert.equal(warmsNext({ ...wear, maxTasks: 1, runs: 1 }), true)
    assert.equal(warmsNext({ ...wear, runs: 1 }), false, 'how long a body takes is not known yet')
    assert.equal(warmsNext({ ...wear, runs: 5, servedMs: 4 * 100 }), true, '5 bodies of 100 ms are left')
    assert.equal(warmsNext({ ...wear, runs: 5, servedMs: 4 * 1000 }), false)
    assert.equal(warmsNext({ ...wear, runs: 9, servedMs: 8 * 1000 }), false)
  })

  it('reads memory with a unit, and says what to write for a plain number', () => {
    assert.deepEqual(
      ['512kb', '300mb', '1.5gb'].map((size) => parseByteSize(size, 'm')),
      [524_288, 314_572_800, 1_610_612_736],
    )
    const refused = (value: unknown) =>
      assert.throws(() => parseByteSize(value, '--max-memory-per-child'), {
        code: 'USAGE',
        message: /--max-memory-per-child/,
      })
    for (const value of ['', '0mb', '-1mb', '300', 300, '300 MB', 'lots', null]) refused(value)
    assert.throws(() => parseByteSize(12_000, 'm'), /write '12000kb' if Celery's kilobytes are meant/)
    assert.throws(() => parseByteSize('300 MB', 'm'), /write '300mb'/)
  })

  it("reads an app's worker options, and refuses others by name", () => {
    const defaults = { maxTasksPerChild: null, maxMemoryBytes: null, autoscale: null, shutdownMs: 300_000 }
    assert.deepEqual(readWorkerOptions('w'), defaults)
    const scale = { autoscale: { max: 8, min: 2 } }
    const read = readWorkerOptions('w', {
      maxTasksPerChild: 100,
      maxMemoryPerChild: '1gb',
      shutdownTimeout: '25s',
      ...scale,
    })
    const autoscale = { max: 8, min: 2, idleMs: 30_000 }
    assert.deepEqual(read, { maxTasksPerChild: 100, maxMemoryBytes: 1024 ** 3, autoscale, shutdownMs: 25_000 })
    for (const maxTasksPerChild of [0, 1.5, -1, Number.NaN, '5']) {
      assert.throws(
        () => readWorkerOptions('w', { maxTasksPerChild } as never),
        /w\.maxTasksPerChild must be a whole number from 1/,
      )
    }
    assert.throws(() => readWorkerOptions('w', { maxTaskPerChild: 5 } as never), /did you mean .*maxTasksPerChild/)
  })
})
