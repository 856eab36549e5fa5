import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { App } from '../../src/index.js'
import { type RunningWorker, startWorker } from '../../src/worker/worker.js'
import type { BodyLine } from './flow-app.js'
import { finishFile, setFlowEnv } from './flow-env.js'
import { startPostgres } from './postgres-server.js'
import { startRedis } from './redis-server.js'
import { until } from './until.js'

/** A broker of the test's own. */
export interface Place {
  readonly url: string
  stop(): Promise<void>
}

/** The brokers that a promise of the whole path is shown on, by name. */
export const PLACES: Readonly<Record<string, () => Promise<Place>>> = {
  memory: async () => ({ url: 'memory:', stop: async () => {} }),
  redis: startRedis,
  postgres: async () => {
    const { url, remove } = await startPostgres()
    return { url, stop: remove }
  },
}

export type FlowApp = typeof import('./flow-app.js')

export interface SceneOptions {
  readonly place: Pick<Place, 'url'>
  /** Unlike every other suite's of this process. */
  readonly app: string
  /** Default: 3. */
  readonly concurrency?: number
  /** Default: 5 s. */
  readonly lease?: '15s' | '5s'
  /** Called before the worker starts. */
  readonly prepare?: (app: App) => unknown
  /** Path of the app's module. Default: the flow app. */
  readonly module?: string
}

/** The flow app with one prefork worker `w1` in this process, and what its bodies wrote down. */
export interface FlowScene<Flow extends { readonly app: App } = FlowApp> {
  readonly flow: Flow
  readonly app: App
  readonly worker: RunningWorker
  /** The file that bodies write to. */
  readonly log: string
  bodies(id: string): BodyLine[]
  /** Waits for the body's first line. */
  started(id: string): Promise<unknown>
  /** Lets a body end that was called with `told`. */
  finish(id: string): void
  /** Waits until no key is held and no call parked. */
  idle(): Promise<unknown>
  /** Ends worker and app; leaves the place. */
  stop(how?: 'warm' | 'cold'): Promise<void>
}

const MODULE = fileURLToPath(new URL('./flow-app.js', import.meta.url))

export async function startScene<Flow extends { readonly app: App } = FlowApp>({
  place,
  app: name,
  concurrency = 3,
  lease,
  prepare,
  module = MODULE,
}: SceneOptions): Promise<FlowScene<Flow>> {
  const folder = mkdtempSync(join(tmpdir(), `beatlock-${name}-`))
  const log = join(folder, 'bodies')
  writeFileSync(log, '')
  const restoreEnv = setFlowEnv({ app: name, broker: place.url, log, lease })
  const leave = (): void => {
    restoreEnv()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    // A module of its own for each scene: an app reads its options once.
    const flow = (await import(`${module}?${name}`)) as Flow
    const { app } = flow
    await prepare?.(app)
    const limits = { softTimeLimitMs: null, timeLimitMs: null }
    const serving = { name: 'w1', concurrency, pool: 'prefork', queues: ['default'] } as const
    const worker = await startWorker({ app, module, ...serving, ...limits })
    const bodies = (id: string): BodyLine[] => linesOf(log).filter((line) => line.id === id)
    return {
      flow,
      app,
      worker,
      log,
      bodies,
      started: (id) => until(() => bodies(id).length > 0, { what: `the body of ${id}` }),
      finish: (id) => writeFileSync(finishFile(log, id), ''),
      idle: () => until(async () => (await app.locks.list().next()).done, { what: 'no lock to be left' }),
      stop: (how = 'warm') => worker.stop(how).finally(leave),
    }
  } catch (error) {
    leave()
    throw error
  }
}

function linesOf(log: string): BodyLine[] {
  const lines = readFileSync(log, 'utf8').split('\n')
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as BodyLine)
}
