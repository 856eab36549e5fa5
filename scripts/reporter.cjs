// Mocha's dots and failures as they are, and the counts told to scripts/test.mjs.
const { reporters, Runner } = require('mocha')

class CountingReporter extends reporters.Dot {
  constructor(runner, options) {
    super(runner, options)
    runner.once(Runner.constants.EVENT_RUN_END, () => {
      const { passes, failures } = this.stats
      if (process.connected) process.send({ passed: passes, failed: failures })
    })
  }
}

module.exports = CountingReporter
