import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from './until.js'

/** A private Redis of the test's own, in a temp folder and on a free port of the loopback. */
export interface RedisServer {
  readonly url: string
  readonly port: number
  /** Of the server that runs now. */
  readonly pid: number
  /** Ends it; what an append-only server wrote stays for `restart`. Call it in `after`. */
  stop(): Promise<void>
  /** Starts it again on the same port and folder; stops it first where it runs. Without `appendonly`: empty. */
  restart(): Promise<void>
}

interface RedisServerOptions {
  /** Keeps data over a restart: each write is synced before its reply. */
  readonly appendonly?: boolean
  /** More arguments of the command line: `['--maxmemory-policy', 'allkeys-lru']`. */
  readonly extra?: readonly string[]
  /** It is a sentinel, which keeps its state in its own configuration: the lines beyond port and folder. */
  readonly sentinel?: readonly string[]
}

/** The folders, and what a broken test did not stop. */
const leftovers = new Set<() => void>()
process.once('exit', () => {
  for (const remove of leftovers) remove()
})

/** @throws Error that says what to install where there is no redis-server on PATH. */
export async function startRedis({
  appendonly = false,
  extra = [],
  sentinel,
}: RedisServerOptions = {}): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'beatlock-test-redis-'))
  const port = await freePort()
  const persistence = appendonly ? ['--appendonly', 'yes', '--appendfsync', 'always'] : ['--appendonly', 'no']
  const place = [`port ${port}`, 'bind 127.0.0.1', `dir ${folder}`]
  const args = sentinel
    ? [fileOf(folder, [...place, ...sentinel]), '--sentinel']
    : [...place.flatMap((line) => `--${line}`.split(' ')), '--save', '', ...persistence, ...extra]
  let child = await running(args, port)
  leftovers.add(() => {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })
  const stop = async (): Promise<void> => {
    if (ended(child)) return
    const exit = once(child, 'exit')
    child.kill('SIGTERM')
    // A server inside a script hears nothing else.
    const timer = setTimeout(() => child.kill('SIGKILL'), 3_000)
    await exit
    clearTimeout(timer)
  }
  return {
    url: `redis://127.0.0.1:${port}/0`,
    port,
    get pid() {
      return child.pid ?? 0
    },
    stop,
    restart: async () => {
      await stop()
      child = await running(args, port)
    },
  }
}

function fileOf(folder: string, lines: readonly string[]): string {
  const path = join(folder, 'sentinel.conf')
  writeFileSync(path, lines.join('\n'))
  return path
}

/** Its port may be somebody's for a moment, as of a client that was given it by chance: try again. */
async function running(args: readonly string[], port: number): Promise<ChildProcess> {
  let child = await spawned(args)
  await until(
    async () => {
      if (ended(child)) child = await spawned(args)
      return (await answers(port)) && !ended(child)
    },
    { what: `Redis to accept connections on port ${port}`, everyMs: 20 },
  )
  return child
}

async function spawned(args: readonly string[]): Promise<ChildProcess> {
  // In a group of its own: a Ctrl-C is the test's to judge.
  const child = spawn('redis-server', args, { stdio: 'ignore', detached: true })
  try {
    await once(child, 'spawn')
  } catch (cause) {
    throw new Error('no redis-server on PATH: install it (on Debian: apt-get install redis-server).', { cause })
  }
  return child
}

function ended(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

/** A server that asks for a password has started, too; one that still loads its data has not. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'))
    socket.once('error', () => resolve(false))
    socket.once('data', (reply) => {
      socket.destroy()
      resolve(/^(\+PONG|-NOAUTH)/.test(reply.toString()))
    })
  })
}

/** Of the loopback, as far as one can say before it is taken. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
