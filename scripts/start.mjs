// `npm start`: from a fresh clone to the running demonstration. Options go to the demonstration.
import { buildIfStale, setUp } from './setup.mjs'

setUp()
buildIfStale()
// In this very process: a signal then reaches the demonstration once and directly, and its exit code is ours.
const { main } = await import('../examples/log-rollup/run.js')
process.exitCode = await main(process.argv.slice(2))
