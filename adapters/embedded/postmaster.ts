import { type ChildProcess, spawn } from 'node:child_process'
import { open, readFile, rename, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Account } from './account.js'
import { SERVER_ENV } from './cluster.js'

export interface PostmasterOptions {
  readonly postgres: string
  readonly data: string
  /** Folder of the Unix socket, at most 93 bytes. */
  readonly socketDir: string
  readonly port: number
  /** An address to listen at as well; default: the socket only. */
  readonly listen?: string
  readonly logFile: string
  readonly account: Account | undefined
  /** Settings that go over the defaults. */
  readonly settings?: Readonly<Record<string, string>>
}

/** Small in memory, full in durability. Statements are not logged: their text may hold arguments. */
const SETTINGS: Readonly<Record<string, string>> = {
  unix_socket_permissions: '0700',
  max_connections: '200',
  shared_buffers: '32MB',
  fsync: 'on',
  jit: 'off',
  max_wal_size: '256MB',
  min_wal_size: '32MB',
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_checkpoints: 'off',
}

const LOG_MAX_BYTES = 1_000_000

/**
 * Starts a server in a session of its own: it outlives this process, and a Ctrl-C meant for this process. Where another
 * one runs on the same data the child ends with 1. Its end is an exit, never an `error`.
 */
export async function spawnPostmaster(options: PostmasterOptions): Promise<ChildProcess> {
  const settings = { ...SETTINGS, listen_addresses: options.listen ?? '', ...options.settings }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const log = await openLog(options.logFile)
  try {
    const child = spawn(
      options.postgres,
      ['-D', options.data, '-k', options.socketDir, '-p', String(options.port), ...flags],
      {
        cwd: dirname(options.data),
        env: SERVER_ENV,
        detached: true,
        stdio: ['ignore', log.fd, log.fd],
        ...options.account,
      },
    )
    await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject))
    child.unref()
    return child
  } finally {
    await log.close()
  }
}

/** One generation is kept: a log that passed 1 MB becomes `….old` at the next start. */
async function openLog(file: string) {
  const size = (await stat(file).catch(() => undefined))?.size ?? 0
  if (size > LOG_MAX_BYTES) await rename(file, `${file}.old`)
  return open(file, 'a', 0o600)
}

/** The last lines of a log, for the error that says that the server did not start. */
export async function logTail(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '')
  return text.trimEnd().split('\n').slice(-3).join(' | ').slice(-600)
}
