import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { App, QueueOnce } from '../../src/index.js'
import { type BodyName, finishFile, writeLine } from './body-log.js'
import { heirFile, OWN_ENDS, type OwnEnd } from './own-end.js'

/** The app of the fault tests: its bodies write down what they do. Named and placed by the environment. */
export const app = new App(process.env['FAULT_APP'] ?? 'fault', {
  broker: process.env['FAULT_BROKER'] ?? 'memory:',
  locks: {
    lease: process.env['FAULT_LEASE'] === '15s' ? '15s' : '5s',
    ...(process.env['FAULT_WAIT'] === undefined ? {} : { waitReplicas: { count: 1 } }),
    ...(process.env['FAULT_QUORUM'] ? { barrier: { quorum: process.env['FAULT_QUORUM'].split(',') } } : {}),
  },
  worker: process.env['FAULT_RECYCLED'] === undefined ? {} : { maxMemoryPerChild: '180mb' },
})

export interface Work {
  readonly n: number
  /** How long the body takes. */
  readonly ms: number
  /** How long from the second attempt on; default: the same. */
  readonly thenMs?: number
  /** From this attempt on it takes longer than that, until `fleet.finish(id)`. */
  readonly toldFrom?: number
  /**
   * `sleep` heeds its signal, `deaf` does not, `spin` blocks its loop; `crash` kills itself at its first start. A deaf body
   * counts its own steps: the time for which it is stopped brings its end no nearer. An {@link OwnEnd} is for the first start.
   */
  readonly how?: 'sleep' | 'deaf' | 'spin' | 'crash' | OwnEnd
}

const TICK_MS = 20
const limit = Number(process.env['FAULT_LIMIT'] ?? 1)

class Works extends QueueOnce {
  readonly name = 'work'
  readonly once = { keys: ['n'], overlap: 'skip', limit } as const
  override readonly acksLate = process.env['FAULT_EARLY'] === undefined

  async run(work: Work): Promise<number> {
    const { id, attempt, lock, signal } = this.request
    if (!lock) throw new Error('a guarded body has a lock')
    const body: BodyName = { key: lock.key, token: lock.token, id, attempt }
    const file = process.env['FAULT_LOG'] ?? '/dev/null'
    writeLine(file, body, 'start')
    if (work.how === 'crash' && attempt === 1) process.kill(process.pid, 'SIGKILL')
    if (work.how && work.how in OWN_ENDS && attempt === 1) await OWN_ENDS[work.how as OwnEnd](heirFile(file, id))
    const heeds = work.how !== 'deaf' && work.how !== 'spin'
    const ms = attempt > 1 ? (work.thenMs ?? work.ms) : work.ms
    const until = performance.now() + ms
    const told = attempt >= (work.toldFrom ?? Number.POSITIVE_INFINITY)
    const leftMs = (steps: number): number => {
      if (told && !existsSync(finishFile(file, id))) return TICK_MS
      return work.how === 'deaf' ? ms - steps * TICK_MS : until - performance.now()
    }
    for (let steps = 0; leftMs(steps) > 0; steps += 1) {
      if (heeds && signal.aborted) break
      writeLine(file, body, 'tick')
      const pauseMs = Math.min(TICK_MS, leftMs(steps))
      if (work.how === 'spin') spin(pauseMs)
      else await sleep(Math.max(1, pauseMs))
    }
    const stopped = heeds && signal.aborted
    writeLine(file, body, stopped ? 'stop' : 'end')
    if (stopped) throw signal.reason
    return work.n
  }
}

function spin(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

export const work = app.register(Works)
