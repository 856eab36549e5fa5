// Docker where it answers, else a Podman of our own.
import { spawnSync } from 'node:child_process'
import { getContainerRuntimeClient } from 'testcontainers'
import { startPodman } from './podman.mjs'
import { run } from './setup.mjs'

/**
 * What runs containers, for the environment of the tests. `end` leaves nothing behind and may be called twice.
 * Ends the process with a sentence where there is none.
 *
 * @returns {Promise<{ env: Record<string, string>, end: () => Promise<void> }>}
 */
export async function containerRuntime() {
  const docker = await getContainerRuntimeClient().catch(() => undefined)
  // The images are Docker's own then; names in BEATLOCK_REDIS_IMAGE and BEATLOCK_POSTGRES_IMAGE go before them.
  if (docker) return { env: {}, end: async () => {} }
  if (absent().length > 0 && process.getuid?.() === 0 && present('apt-get')) installPodman()
  if (absent().length > 0) fail(`Docker does not answer, and there is no ${absent().join(' and no ')} on PATH.`)
  return startPodman().catch((error) => fail(`Docker does not answer, and Podman cannot be started: ${error.message}`))
}

/** crun, which Debian's podman would take, refuses hybrid cgroups. */
function absent() {
  return ['podman', 'runc'].filter((name) => !present(name))
}

function present(program) {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined
}

function installPodman() {
  console.log('Installing podman and runc, since Docker does not answer.')
  const quiet = ['DEBIAN_FRONTEND=noninteractive', 'RUNLEVEL=1', 'apt-get', '-qq']
  run('env', [...quiet, 'update'])
  run('env', [...quiet, 'install', '-y', '--no-install-recommends', 'podman', 'runc'])
}

function fail(sentence) {
  console.error(`${sentence} Start Docker, or install Podman (\`apt-get install podman runc\`), and start again.`)
  console.log('0 passed, 1 failed')
  process.exit(1)
}
