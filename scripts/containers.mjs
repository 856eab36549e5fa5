// `npm run test:containers`: the contract suites against servers in containers. The last line is `N passed, N failed`.
import { containerRuntime } from './container-runtime.mjs'
import { runMocha, tell } from './mocha.mjs'
import { buildIfStale, setUp } from './setup.mjs'
import { needTestPrograms } from './test-programs.mjs'

/** Well above a usual run of about a minute. */
const LIMIT_MS = 8 * 60_000

setUp()
needTestPrograms()
buildIfStale()
const runtime = await containerRuntime()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, async () => {
    await runtime.end()
    process.exit(1)
  })
}
try {
  const spec = ['dist/test/containers/*.containers.js']
  tell(await runMocha({ args: process.argv.slice(2), spec, env: runtime.env, limitMs: LIMIT_MS }))
} finally {
  await runtime.end()
}
