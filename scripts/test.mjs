// `npm test`: everything from a fresh clone to the last test. The last line is `N passed, N failed`.
import { runLanes } from './lanes.mjs'
import { runMocha, tell } from './mocha.mjs'
import { build, run, setUp } from './setup.mjs'
import { needTestPrograms } from './test-programs.mjs'

setUp()
needTestPrograms()
build()
checkExamples()
tell(await runAll(process.argv.slice(2)))

/** With arguments (`-g pattern`) one process runs what they choose. */
function runAll(args) {
  return args.length > 0 ? runMocha({ args }) : runLanes()
}

function checkExamples() {
  const { status } = run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'examples', '--noEmit'])
  if (status === 0) return
  console.log('0 passed, 1 failed')
  process.exit(1)
}
