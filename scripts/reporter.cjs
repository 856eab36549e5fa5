// Mocha's dots and failures as they are, and the counts told to scripts/test.mjs.
const { reporters, Runner } = require('mocha')

/** A process that lives on has a leak: by then it says of what kind. Below the time scripts/mocha.mjs gives it. */
const HELD_MS = 8_000

class CountingReporter extends reporters.Dot {
  constructor(runner, options) {
    super(runner, options)
    runner.once(Runner.constants.EVENT_RUN_END, () => {
      const { passes, failures } = this.stats
      if (process.connected) process.send({ passed: passes, failed: failures })
      setTimeout(() => console.error(`Held after the last test: ${process.getActiveResourcesInfo()}`), HELD_MS).unref()
    })
  }
}

module.exports = CountingReporter
