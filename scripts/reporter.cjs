// Mocha's dots and failures as they are, the counts told to scripts/test.mjs, and which files took the time.
const { relative } = require('node:path')
const { reporters, Runner } = require('mocha')

const { EVENT_RUN_END, EVENT_SUITE_BEGIN, EVENT_SUITE_END } = Runner.constants
/** A process that lives on has a leak: by then it says of what kind. Below the time scripts/mocha.mjs gives it. */
const HELD_MS = 8_000
const SLOWEST = 12

class CountingReporter extends reporters.Dot {
  constructor(runner, options) {
    super(runner, options)
    /** Milliseconds by file, hooks included. */
    const times = new Map()
    let begun = 0
    runner.on(EVENT_SUITE_BEGIN, (suite) => {
      if (suite.parent?.root) begun = performance.now()
    })
    runner.on(EVENT_SUITE_END, (suite) => {
      if (!suite.parent?.root || !suite.file) return
      times.set(suite.file, (times.get(suite.file) ?? 0) + performance.now() - begun)
    })
    runner.once(EVENT_RUN_END, () => {
      const { passes, failures } = this.stats
      if (process.connected) process.send({ passed: passes, failed: failures })
      console.log(`  slowest: ${slowest(times)}\n`)
      setTimeout(() => console.error(`Held after the last test: ${process.getActiveResourcesInfo()}`), HELD_MS).unref()
    })
  }
}

function slowest(times) {
  const files = [...times].sort(([, one], [, other]) => other - one).slice(0, SLOWEST)
  return files.map(([file, ms]) => `${relative('dist/test', file)} ${Math.round(ms / 1000)} s`).join(', ')
}

module.exports = CountingReporter
