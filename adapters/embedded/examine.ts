import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Client } from 'pg'
import { UsageError } from '../../src/lock/error.js'
import { type Examined, type Finding, fine, note, problem } from '../../src/lock/finding.js'
import { examine as examinePostgres } from '../postgres/index.js'
import { openEmbedded } from './index.js'
import { findPlace } from './place.js'
import type { Address } from './session.js'

/** Looks at the server of a folder, and starts none. Adopted from nobody, it is stopped again. Never rejects. */
export async function examine({ dir, app }: { dir: string; app: string }): Promise<Omit<Examined, 'role'>> {
  const { folder } = await findPlace(dir)
  const server = `embedded:${folder}`
  try {
    const running = await openEmbedded({ dir, mayStart: false })
    try {
      const examined = await examinePostgres({ app, server, connection: running.connection })
      const place = await placeFinding(folder, await usersOf(running.connection))
      return { ...examined, findings: [place, ...examined.findings] }
    } finally {
      await running.close()
    }
  } catch (error) {
    if (error instanceof UsageError && /no embedded server is running/.test(error.message))
      return { server, reached: true, pristine: true, findings: [await placeFinding(folder, undefined)] }
    const says = `it cannot be reached: ${(error as Error).message}.`
    return { server, reached: false, findings: [problem('reached', says, 'see postgres.log in its folder.')] }
  }
}

/** `users`: processes that use it besides us; undefined: it does not run. */
async function placeFinding(folder: string, users: number | undefined): Promise<Finding> {
  const size = await sizeOf(folder)
  const holds = size === 0 ? 'there is no data yet' : `${(size / 1_048_576).toFixed(0)} MB`
  if (users === undefined)
    return note('folder', `it does not run (${holds}): the first worker, beat or publisher starts it.`)
  if (users === 0) return note('folder', `it ran idle (${holds}): nobody uses it, so that this look has stopped it.`)
  return fine('folder', `it runs (${holds}); ${users} ${users === 1 ? 'process uses' : 'processes use'} it.`)
}

async function usersOf(connection: Address): Promise<number> {
  const client = new Client({ ...connection })
  try {
    await client.connect()
    const { rows } = await client.query<{ users: number }>(
      "select count(*)::int - 1 as users from pg_stat_activity where application_name = 'beatlock embedded'",
    )
    return rows[0]?.users ?? 0
  } finally {
    await client.end()
  }
}

async function sizeOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  const files = entries.filter((entry) => entry.isFile())
  const sizes = await Promise.all(
    files.map(({ parentPath, name }) =>
      lstat(join(parentPath, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}
