import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startScript } from '../cli/command.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { projectRoot } from '../support/project-root.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'

const SERVERS = `import { Redis } from 'ioredis'
import { Pool } from 'pg'
export const pool = new Pool({ connectionString: process.env.DATA })
export const redis = new Redis(process.env.CACHE)
`
/** Twice: the second token is the higher one. */
const DRIVER = `import { App } from 'beatlock'
import { runTask } from 'beatlock/testing'
import { Rollup } from './rollup.js'
import { pool, redis } from './servers.js'
await pool.query("create table totals as select '2026-01-01' as day, 0 as n")
const app = new App('rollups')
app.register(Rollup)
const runs = [await runTask(app, 'rollup', [{ day: '2026-01-01' }]), await runTask(app, 'rollup', [{ day: '2026-01-01' }])]
console.log(...runs.map(({ outcome }) => outcome), (await pool.query('select n from totals')).rows[0].n)
console.log(await redis.get('rollup:2026-01-01'), (await pool.query('select token::float from beatlock_fence')).rows[0].token === runs[1].token)
await app.close()
await pool.end()
redis.disconnect()
`

describe('README: fenced writes', function () {
  this.timeout(60_000)
  let postgres: PostgresServer
  let redis: RedisServer
  let folder: string
  before(async () => {
    postgres = await startPostgres()
    redis = await startRedis()
    // Inside the repository, where `beatlock` is this very package.
    mkdirSync(join(projectRoot(), '.build'), { recursive: true })
    folder = mkdtempSync(join(projectRoot(), '.build', 'fenced-'))
  })
  after(async () => {
    if (folder) rmSync(folder, { recursive: true, force: true })
    await redis?.stop()
    await postgres?.remove()
  })

  it('the code runs as it stands, beside locks that are elsewhere', async () => {
    const readme = readFileSync(join(projectRoot(), 'README.md'), 'utf8')
    const [, code = ''] = /```js\n([\s\S]*?)```/.exec(readme.slice(readme.indexOf('## Fenced writes'))) ?? []
    writeFileSync(join(folder, 'rollup.js'), code)
    writeFileSync(join(folder, 'servers.js'), SERVERS)
    writeFileSync(join(folder, 'driver.js'), DRIVER)
    const env = { DATA: postgres.url, CACHE: redis.url }
    const ended = await startScript(join(folder, 'driver.js'), [], { env, cwd: folder }).ended
    assert.deepEqual([ended.code, ended.stdout], [0, 'ran ran 2\n1 true\n'], ended.stderr)
  })
})
