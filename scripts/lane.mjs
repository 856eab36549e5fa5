// One process of scripts/lanes.mjs: runs the test files that it is handed, one after the other, and tells how each went.
import Mocha from 'mocha'

const { Base } = Mocha.reporters
const { EVENT_TEST_PASS, EVENT_TEST_FAIL } = Mocha.Runner.constants
/** A process that lives on has a leak: by then it says of what kind. Below the time that scripts/lanes.mjs gives it. */
const HELD_MS = 8_000
const timeout = Number(process.argv[2])

// A promise that nobody looks after fails the test that left it.
process.on('unhandledRejection', (reason) => {
  throw reason
})
// By an exit, since at that the tests end the servers that they started.
const interrupted = () => process.exit(130)
for (const event of ['SIGINT', 'SIGTERM', 'disconnect']) process.once(event, interrupted)
process.on('message', ({ file }) => void (file === undefined ? end() : play(file)))
process.send({ say: 'next' })

async function play(file) {
  const startedAt = performance.now()
  const { passed, failures } = await run(file)
  const ms = performance.now() - startedAt
  process.send({ say: 'played', file, passed, failed: failures.map(titleOf), ms })
  console.log(`${String(passed).padStart(5)} passed ${(ms / 1000).toFixed(1).padStart(6)} s  ${file}`)
  if (failures.length > 0) Base.list(failures)
  process.send({ say: 'next' })
}

/** A file that cannot be loaded is a failure of its own. */
async function run(file) {
  const mocha = new Mocha({ timeout, reporter: Base })
  let passed = 0
  const failures = []
  try {
    mocha.addFile(file)
    await mocha.loadFilesAsync()
    await new Promise((resolve) => {
      const runner = mocha.run(resolve)
      runner.on(EVENT_TEST_PASS, () => (passed += 1))
      runner.on(EVENT_TEST_FAIL, (test) => failures.push(test))
    })
    // It would go on to listen for uncaught exceptions, which are those of later files.
    mocha.dispose()
  } catch (err) {
    failures.push({ titlePath: () => ['cannot be loaded'], err })
  }
  return { passed, failures }
}

function titleOf(test) {
  return test.titlePath().join(' ')
}

function end() {
  process.off('disconnect', interrupted)
  process.disconnect()
  setTimeout(() => console.error(`Held after the last test: ${process.getActiveResourcesInfo()}`), HELD_MS).unref()
}
