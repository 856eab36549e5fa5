// `npm test`: everything from a fresh clone to the last test. The last line is `N passed, N failed`.
import { runMocha, tell } from './mocha.mjs'
import { build, run, setUp } from './setup.mjs'
import { needTestPrograms } from './test-programs.mjs'

setUp()
needTestPrograms()
build()
checkExamples()
tell(await runAll(process.argv.slice(2)))

/**
 * Two processes side by side, since most tests wait for a server or a clock: the one of these folders, the other of all
 * the rest, told when it has ended. With arguments (`-g pattern`) one process runs what they choose.
 */
async function runAll(args) {
  if (args.length > 0) return runMocha({ args })
  const folders = ['adapters', 'beat', 'flow'].map((folder) => `dist/test/${folder}/**/*.test.js`)
  const rest = folders.flatMap((spec) => ['--ignore', spec])
  const all = await Promise.all([runMocha({ spec: folders }), runMocha({ args: rest, later: true })])
  return { passed: sum(all, 'passed'), failed: sum(all, 'failed') }
}

function sum(all, field) {
  return all.reduce((total, each) => total + each[field], 0)
}

function checkExamples() {
  const { status } = run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'examples', '--noEmit'])
  if (status === 0) return
  console.log('0 passed, 1 failed')
  process.exit(1)
}
