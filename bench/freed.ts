import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startWorker } from '../src/worker/worker.js'
import { figure, type Line, ms } from './line.js'
import { median } from './sample.js'

const MODULE = new URL('./fixture/crash-app.js', import.meta.url)
const ROUNDS = 7
const PATIENCE_MS = 20_000

interface Start {
  readonly n: number
  readonly pid: number
  readonly attempt: number
  readonly ns: string
}

/** kill -9 of a child: until the message that it ran is run again, under a new token. */
export async function freedAfterKill({ url }: { readonly url: string }, name: string): Promise<Line> {
  const folder = mkdtempSync(join(tmpdir(), 'beatlock-bench-'))
  const file = join(folder, 'starts')
  writeFileSync(file, '')
  process.env['BENCH_BROKER'] = url
  process.env['BENCH_FILE'] = file
  // A module of its own for each broker: an app reads its options once.
  const { app, waits } = (await import(`${MODULE.href}?${name}`)) as typeof import('./fixture/crash-app.js')
  app.configure()
  const worker = await startWorker({
    app,
    module: fileURLToPath(MODULE),
    name: `w1@${name}`,
    concurrency: 2,
    pool: 'prefork',
    queues: ['default'],
    softTimeLimitMs: null,
    timeLimitMs: null,
  })
  try {
    const taken: number[] = []
    for (let n = 0; n < ROUNDS; n += 1) {
      await waits.delay({ n })
      const first = await startOf(file, n, 1)
      // The child that was killed in the round before is replaced by now, and the machine is quiet.
      await sleep(500)
      const killedNs = process.hrtime.bigint()
      process.kill(first.pid, 'SIGKILL')
      const second = await startOf(file, n, 2)
      taken.push(Number(BigInt(second.ns) - killedNs) / 1e6)
    }
    return figure(`kill -9 of a child until its message runs again, on ${name}`, ms(median(taken)), '< 200 ms')
  } finally {
    await worker.stop('cold')
    await app.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function startOf(file: string, n: number, attempt: number): Promise<Start> {
  const end = performance.now() + PATIENCE_MS
  while (performance.now() < end) {
    const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean)
    const found = lines
      .map((line) => JSON.parse(line) as Start)
      .find((each) => each.n === n && each.attempt === attempt)
    if (found) return found
    await sleep(1)
  }
  throw new Error(`attempt ${attempt} of ${n} did not start within ${PATIENCE_MS / 1_000} s`)
}
