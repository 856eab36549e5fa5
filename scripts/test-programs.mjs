// The tests start servers of their own and need only the programs. Postgres comes with the packages.
import { spawnSync } from 'node:child_process'
import { run } from './setup.mjs'

/** Each program's Debian package has its name. */
const PROGRAMS = ['redis-server', 'pgbouncer', 'faketime', 'openssl']

/** Makes sure that the programs are on PATH; ends the process with a sentence where that cannot be done. */
export function needTestPrograms() {
  const missing = absent()
  if (missing.length === 0) return
  if (process.getuid?.() === 0 && present('apt-get')) installPrograms(missing)
  const still = absent()
  if (still.length === 0) return
  console.error(
    `The tests need ${still.join(' and ')} on PATH (they start their own): install them, as with ` +
      `\`apt-get install ${still.join(' ')}\` or \`brew install redis pgbouncer\`, and start again.`,
  )
  process.exit(1)
}

function installPrograms(names) {
  console.log(`Installing ${names.join(' and ')}, which the tests start for themselves.`)
  // RUNLEVEL=1 keeps a package from starting a server of its own.
  const quiet = ['DEBIAN_FRONTEND=noninteractive', 'RUNLEVEL=1', 'apt-get', '-qq']
  run('env', [...quiet, 'update'])
  run('env', [...quiet, 'install', '-y', '--no-install-recommends', ...names])
}

function absent() {
  return PROGRAMS.filter((name) => !present(name))
}

function present(program) {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined
}
