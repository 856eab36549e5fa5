import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Queue, Worker } from 'bullmq'
import { startWorker } from '../src/worker/worker.js'
import lasting from './fixture/sandbox.js'
import { comparison, figure, type Line, ms as milliseconds } from './line.js'
import { type Comparison, median } from './sample.js'

const MODULE = fileURLToPath(new URL('./fixture/speed-app.js', import.meta.url))
const SANDBOX = new URL('./fixture/sandbox.js', import.meta.url)
const CONCURRENCY = 4
const MESSAGES = 1_000
const AT_ONCE = 50
const ROUNDS = 5

/** Publishes that many tasks of so many ms and answers when all have run: ms a task. */
type Batch = (ms: number) => Promise<number>

/** Tasks that do nothing and that last 1 ms, published and run, beside BullMQ's worker in one process and in its sandbox. */
export async function workerSpeed({ url }: { readonly url: string }): Promise<Line[]> {
  const ours = await startOurs(url)
  const plain = await startTheirs(url, { name: 'bench-in-process', processor: lasting })
  const sandbox = await startTheirs(url, { name: 'bench-sandbox', processor: SANDBOX })
  const lines: Line[] = [...ours.lines]
  try {
    for (const ms of [0, 1]) {
      const what = ms === 0 ? 'no-op tasks' : `tasks of ${ms} ms`
      const taken = await inTurn({ ...ours.batches, plain: plain.batch, sandbox: sandbox.batch }, ms)
      const line = (our: string, their: string, told: string, goal: string) =>
        comparison(`${what}, ${our}, beside ${told}`, besides(taken, our, their), goal)
      lines.push(
        line('guarded', 'sandbox', "BullMQ's sandbox", '≥ 1.0 ×'),
        line('unguarded', 'sandbox', "BullMQ's sandbox", ''),
        line('guarded', 'plain', "BullMQ's worker in one process", ''),
        line('unguarded', 'plain', "BullMQ's worker in one process", ''),
      )
    }
    lines.push(figure('resident memory of a child', ours.memory(), ''))
    return lines
  } finally {
    await ours.stop()
    await plain.stop()
    await sandbox.stop()
  }
}

interface Side {
  readonly batch: Batch
  stop(): Promise<unknown>
}

interface Ours {
  readonly batches: Record<'guarded' | 'unguarded', Batch>
  readonly lines: readonly Line[]
  memory(): string
  stop(): Promise<unknown>
}

async function startOurs(url: string): Promise<Ours> {
  process.env['BENCH_BROKER'] = url
  const { app, guarded, unguarded } = (await import(MODULE)) as typeof import('./fixture/speed-app.js')
  app.configure()
  const first = new Promise((resolve) => app.on('run:ended', resolve))
  await unguarded.delay({ n: 0, ms: 0 })
  const startedAt = performance.now()
  const worker = await startWorker({
    app,
    module: MODULE,
    name: 'w1@speed',
    concurrency: CONCURRENCY,
    pool: 'prefork',
    queues: ['default'],
    softTimeLimitMs: null,
    timeLimitMs: null,
  })
  await first
  const firstMs = performance.now() - startedAt
  const tally = new Tally()
  app.on('run:ended', () => tally.one())
  let n = 0
  const batches = {
    guarded: (ms: number) => tally.time(() => guarded.delay({ n: ++n, ms })),
    unguarded: (ms: number) => tally.time(() => unguarded.delay({ n: ++n, ms })),
  }
  const lines = [
    figure(`a worker's start with ${CONCURRENCY} children, until its first task ended`, milliseconds(firstMs), ''),
  ]
  return { batches, lines, memory: childMemory, stop: () => worker.stop('cold') }
}

/** The median of this process's children that a pool has started; Linux only. */
function childMemory(): string {
  try {
    const pids = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ')
    const statuses = pids.filter(isOurs).map((pid) => readFileSync(`/proc/${pid}/status`, 'utf8'))
    return `${Math.round(median(statuses.map((text) => Number(/VmRSS:\s+(\d+)/.exec(text)?.[1]))) / 1024)} MB`
  } catch {
    return 'not told by this system'
  }
}

function isOurs(pid: string): boolean {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('worker/child-process.js')
}

async function startTheirs(
  url: string,
  { name, processor }: { readonly name: string; readonly processor: typeof lasting | URL },
): Promise<Side> {
  const { hostname: host, port } = new URL(url)
  const options = { connection: { host, port: Number(port) } }
  const queue = new Queue(name, { ...options, defaultJobOptions: { removeOnComplete: true } })
  const worker = new Worker(name, processor, { ...options, concurrency: CONCURRENCY })
  await Promise.all([queue.waitUntilReady(), worker.waitUntilReady()])
  const tally = new Tally()
  worker.on('completed', () => tally.one())
  return {
    batch: (ms) => tally.time(() => queue.add('lasting', { ms })),
    async stop() {
      await worker.close()
      await queue.obliterate({ force: true })
      await queue.close()
    },
  }
}

/** Publishes a batch and waits for the last end. */
class Tally {
  #ended = 0
  #all: () => void = () => {}

  one(): void {
    this.#ended += 1
    if (this.#ended === MESSAGES) this.#all()
  }

  async time(publish: () => Promise<unknown>): Promise<number> {
    this.#ended = 0
    const all = new Promise<void>((resolve) => (this.#all = resolve))
    let left = MESSAGES
    const lane = async (): Promise<void> => {
      while (left > 0) {
        left -= 1
        await publish()
      }
    }
    const start = performance.now()
    await Promise.all(Array.from({ length: AT_ONCE }, lane))
    await all
    return (performance.now() - start) / MESSAGES
  }
}

/** All sides in each round, after one that warms them; every other round in the opposite order. */
async function inTurn(sides: Record<string, Batch>, ms: number): Promise<Record<string, number>[]> {
  const rounds: Record<string, number>[] = []
  for (let round = -1; round < ROUNDS; round += 1) {
    const names = round % 2 === 0 ? Object.keys(sides) : Object.keys(sides).reverse()
    const taken: Record<string, number> = {}
    for (const name of names) taken[name] = (await sides[name]?.(ms)) ?? Number.NaN
    if (round >= 0) rounds.push(taken)
  }
  return rounds
}

function besides(rounds: readonly Record<string, number>[], our: string, their: string): Comparison {
  const of = (round: Record<string, number>, name: string): number => round[name] ?? Number.NaN
  return {
    oursMs: median(rounds.map((round) => of(round, our))),
    theirsMs: median(rounds.map((round) => of(round, their))),
    ratio: median(rounds.map((round) => of(round, their) / of(round, our))),
  }
}
