import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startScript } from '../cli/command.js'
import { projectRoot } from '../support/project-root.js'

const USER = `
import { App, currentRequest, QueueOnce } from 'beatlock'
import { fencedTransaction, type FencedPool } from 'beatlock/postgres'
import { fencedWrite, type FencedRedis } from 'beatlock/redis'
import { lockStoreContract, runTask, virtualBeat } from 'beatlock/testing'
class Refresh extends QueueOnce {
  readonly name = 'refresh'
  async run(feed: { feedId: number }) { return feed.feedId }
}
const app = new App('shop')
export const refresh = app.register(Refresh)
export const run = runTask<number>(app, 'refresh', [{ feedId: 7 }])
export const value: Promise<number | undefined> = run.then(({ value }) => value)
export const fresh: Promise<number> = refresh.delay({ feedId: 7 }).then((result) => result.get())
export const year = virtualBeat(app, { startsAt: '2026-01-01T00:00:00Z' }).then((beat) => beat.advance('365d'))
export const contract = lockStoreContract
export const fenced = (pool: FencedPool): Promise<number | null> =>
  fencedTransaction(pool, currentRequest().lock, async (client) => (await client.query('delete from feeds')).rowCount)
export const written = (redis: FencedRedis) => fencedWrite(redis, currentRequest().lock, [['set', 'feed:7', 'text']])
`
const OPTIONS = { module: 'nodenext', target: 'es2022', strict: true, skipLibCheck: false, types: [], noEmit: true }

describe('the published types', function () {
  this.timeout(120_000)
  let folder: string
  before(() => {
    mkdirSync(join(projectRoot(), '.build'), { recursive: true })
    folder = mkdtempSync(join(projectRoot(), '.build', 'types-'))
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  it("satisfy a strict compiler that checks libraries and has not been given Node's types", async () => {
    writeFileSync(join(folder, 'user.ts'), USER)
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: OPTIONS, include: ['user.ts'] }))
    const tsc = join(projectRoot(), 'node_modules/typescript/bin/tsc')
    const { code, stdout } = await startScript(tsc, ['-p', folder]).ended
    assert.equal(code, 0, stdout)
  })
})
