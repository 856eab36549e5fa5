// A Podman service of our own: its images, containers, settings and socket all in one temp folder, gone at the end.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { importImages } from './container-images.mjs'

const execute = promisify(execFile)

/** The bridge that Podman's first container makes and its last one leaves. */
const BRIDGE = '/sys/class/net/cni-podman0'

const START_MS = 20_000
const COMMAND_MS = 60_000

/** Without these Podman asks for more open files than it may have, or for a runtime that refuses hybrid cgroups. */
const SETTINGS = `[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
`

/** @throws Error where it does not answer in time. */
export async function startPodman() {
  const folder = await mkdtemp(join(tmpdir(), 'beatlock-podman-'))
  const settings = join(folder, 'containers.conf')
  const socket = join(folder, 'podman.sock')
  const bridgeIsOurs = !existsSync(BRIDGE)
  await writeFile(settings, SETTINGS)
  const where = ['--root', join(folder, 'root'), '--runroot', join(folder, 'run')]
  const env = { ...process.env, CONTAINERS_CONF: settings }
  const podman = (args) => execute('podman', [...where, ...args], { env, timeout: COMMAND_MS })
  const service = spawn('podman', [...where, 'system', 'service', '--time=0', `unix://${socket}`], {
    env,
    // A Ctrl-C in the terminal is meant for us; we end the service once its containers are gone.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  service.stderr.setEncoding('utf8').on('data', (text) => {
    said = (said + text).slice(-1_000)
  })

  let ending
  const end = () => {
    ending ??= endAll()
    return ending
  }
  async function endAll() {
    await podman(['rm', '--all', '--force', '--time', '0']).catch(warn)
    await endService(service)
    await podman(['rmi', '--all', '--force']).catch(warn)
    if (bridgeIsOurs) await removeBridge().catch(warn)
    await rm(folder, { recursive: true, force: true, maxRetries: 5 }).catch(warn)
  }

  try {
    await answering(service, socket)
    const images = await importImages(folder, podman)
    return { env: { ...images, ...testcontainersSettings(socket) }, end }
  } catch (error) {
    await end()
    throw new Error(`${error.message} ${said}`.trim())
  }
}

/** Its reaper would need an image that cannot be had without a registry; we remove every container ourselves. */
function testcontainersSettings(socket) {
  return {
    DOCKER_HOST: `unix://${socket}`,
    TESTCONTAINERS_RYUK_DISABLED: 'true',
    TESTCONTAINERS_HOST_OVERRIDE: '127.0.0.1',
  }
}

async function answering(service, socket) {
  const end = Date.now() + START_MS
  while (Date.now() < end) {
    if (service.exitCode !== null) throw new Error(`its service ended with ${service.exitCode}.`)
    if (await accepts(socket)) return
    await sleep(50)
  }
  throw new Error(`its service did not answer within ${START_MS / 1000} s.`)
}

function accepts(socket) {
  return new Promise((resolve) => {
    const client = connect(socket, () => {
      client.destroy()
      resolve(true)
    })
    client.once('error', () => resolve(false))
  })
}

async function endService(service) {
  if (service.exitCode !== null || service.signalCode !== null) return
  const exit = once(service, 'exit')
  service.kill('SIGTERM')
  const timer = setTimeout(() => service.kill('SIGKILL'), 5_000)
  await exit
  clearTimeout(timer)
}

/** Not where somebody else's container has joined it meanwhile. */
async function removeBridge() {
  if (!existsSync(BRIDGE) || readdirSync(`${BRIDGE}/brif`).length > 0) return
  await execute('ip', ['link', 'delete', 'cni-podman0'])
}

function warn(error) {
  console.error(`Podman's leftovers: ${error.message}`)
}
