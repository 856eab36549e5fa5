import { existsSync } from 'node:fs'
import type { AppEvents } from '../../src/task-base/event.js'
import { startWorker } from '../../src/worker/worker.js'
import { openFaultApp, type ProcessSpec } from './fault-process.js'

/** A worker of its own: `node worker-process.js '<WorkerSpec as JSON>'`. SIGTERM stops it warm. */
export interface WorkerSpec extends ProcessSpec {
  readonly name: string
  readonly concurrency: number
}

/** `until` is a file: its loop stands still until that is there. */
export type WorkerOrder = { readonly do: 'block'; readonly until: string }

const TOLD: readonly (keyof AppEvents)[] = [
  'call:promoted',
  'run:started',
  'run:ended',
  'run:crashed',
  'run:lost',
  'run:putBack',
  'run:duplicate',
  'lock:recovering',
  'lock:stale',
  'lock:resolved',
  'trouble',
]

const spec = JSON.parse(process.argv[2] ?? '') as WorkerSpec
const app = await openFaultApp(spec)
for (const name of TOLD) {
  app.on(name, (event) => {
    const error = 'error' in event ? String(event.error) : undefined
    if (process.connected) process.send?.({ say: 'event', name, event: { ...event, error } })
  })
}
const worker = await startWorker({
  app,
  module: spec.module,
  name: spec.name,
  concurrency: spec.concurrency,
  pool: 'prefork',
  queues: ['default'],
  softTimeLimitMs: null,
  timeLimitMs: null,
})
process.on('SIGTERM', () => void worker.stop('warm').then(() => process.exit(0)))
process.on('message', ({ until }: WorkerOrder) => {
  const never = new Int32Array(new SharedArrayBuffer(4))
  while (!existsSync(until)) Atomics.wait(never, 0, 0, 20)
})
process.send?.({ say: 'ready' })
