// `npm run bench`: figures of this machine in a table. Words choose lines: `npm run bench -- redis-pair publish`.
import { buildIfStale, run, setUp } from './setup.mjs'
import { needTestPrograms } from './test-programs.mjs'

setUp()
needTestPrograms()
buildIfStale()
const { status } = run(process.execPath, ['--expose-gc', 'dist/bench/bench.js', ...process.argv.slice(2)])
process.exitCode = status ?? 1
