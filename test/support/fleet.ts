import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { App } from '../../src/index.js'
import type { AppEvents } from '../../src/task-base/event.js'
import { type BodyLine, finishFile, processState, readLines } from './body-log.js'
import { type Ack, type Ending, type Judgement, judge, type Recorded, type Struck } from './checker.js'
import type { Call, Hammer } from './fault-process.js'
import { heirFile } from './own-end.js'
import type { PublisherOrder } from './publisher-process.js'
import type { Trap } from './trap.js'
import { until } from './until.js'
import { NAIVE, type Variant } from './variant.js'
import type { WorkerOrder, WorkerSpec } from './worker-process.js'

/** What a member is started with beyond the fleet's own. */
export interface MemberOptions {
  readonly trap?: Trap
  /** A lock broken on purpose. */
  readonly variant?: Variant | undefined
  /** Its own way to the servers, as through a proxy. */
  readonly broker?: string
  readonly env?: Readonly<Record<string, string>>
}

export interface Member {
  readonly pid: number
  readonly process: ChildProcess
  /** Whether its trap has sprung. */
  readonly sprung: () => boolean
  /** SIGKILL of the process itself, not of its children; resolves when it is gone. */
  kill(): Promise<void>
  exited(): boolean
}

export interface WorkerMember extends Member {
  readonly name: string
  readonly events: readonly { readonly name: keyof AppEvents; readonly event: Record<string, unknown> }[]
  /** Its children that live. */
  children(): number[]
  /** SIGTERM: resolves when it has stopped warm. */
  stop(): Promise<void>
  /** Blocks the loop of its main thread, without work for a processor; what it answers ends that. */
  block(): () => void
}

export interface PublisherMember extends Member {
  /** Rejects if the call did, or if the publisher died over it. */
  call(call: Call): Promise<Ack>
  hammer(hammer: Hammer): Promise<number>
  stop(): Promise<void>
}

/** Real processes of one app on one server: workers, publishers, what their bodies wrote, and the check of it all. */
export interface Fleet {
  readonly app: App
  worker(name: string, options?: MemberOptions & { readonly concurrency?: number }): Promise<WorkerMember>
  publisher(options?: MemberOptions): Promise<PublisherMember>
  lines(id?: string): BodyLine[]
  acks(): Ack[]
  /** Waits for a body's line. */
  seen(what: { readonly id: string; readonly event: BodyLine['event']; readonly attempt?: number }): Promise<BodyLine>
  /** Lets a body end that lasts until it is told to. */
  finish(id: string): void
  /** The pid of what a body started that is its process's heir; 0: it has not. */
  heir(id: string): number
  /** Stops a process; `wake` lets it go on, which the check then knows of. */
  pause(pids: readonly number[]): { wake(): void }
  /** SIGKILL of one process, which the check then knows of. */
  kill(pid: number): void
  /** The network of a process fails until `heal`, which the check then knows of. */
  cutOff(pid: number): { heal(): void }
  /** The server has lost its data: the check asks for no end of a call that was accepted until now. */
  lostData(): void
  endings(): Promise<Map<string, Ending | null>>
  /** Waits until everything has come to rest, then answers what is wrong. */
  check(options?: { readonly withinMs?: number }): Promise<string[]>
  /** The same, promise by promise. */
  judge(options?: { readonly withinMs?: number }): Promise<Judgement[]>
  /** Ends every process. @throws Error if one had to be killed, or was left. */
  end(): Promise<void>
}

const MODULE = fileURLToPath(new URL('./fault-app.js', import.meta.url))
const STOP_MS = 30_000
let fleets = 0

export interface FleetOptions {
  readonly url: string
  /** Default: 1. */
  readonly limit?: number
  /** Default: 5 s. The longer one is for scenes that wait for no lease's end: a machine that stalls ends none. */
  readonly lease?: '15s' | undefined
}

export function startFleet({ url, limit = 1, lease }: FleetOptions): Fleet {
  fleets += 1
  const name = `fault-${process.pid}-${fleets}`
  const folder = mkdtempSync(join(tmpdir(), 'beatlock-fault-'))
  const [log, ackFile, endFile] = [join(folder, 'bodies'), join(folder, 'acks'), join(folder, 'ends')]
  writeFileSync(log, '')
  const app = new App(name, { broker: url })
  // Parents that are killed leave their folders behind: they go with the fleet's.
  const env = {
    FAULT_APP: name,
    FAULT_BROKER: url,
    FAULT_LIMIT: `${limit}`,
    ...(lease ? { FAULT_LEASE: lease } : {}),
    FAULT_LOG: log,
    FAULT_ACKS: ackFile,
    FAULT_ENDS: endFile,
    TMPDIR: folder,
  }
  // A test process that ends early must not leave those that it has stopped.
  const leftover = (): void => {
    for (const pid of marked(log)) process.kill(pid, 'SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
  process.once('exit', leftover)
  const workers: WorkerMember[] = []
  const publishers: PublisherMember[] = []
  const struck: Struck[] = []
  const watched: Promise<void>[] = []
  let lostNs = 0n
  const acksToCheck = (): Ack[] => readAcks(ackFile).filter(({ askedNs }) => askedNs > lostNs)
  const start = (entry: string, spec: object, own: MemberOptions): ChildProcess =>
    fork(
      fileURLToPath(new URL(entry, import.meta.url)),
      [JSON.stringify({ ...spec, module: MODULE, trap: own.trap, variant: own.variant })],
      {
        detached: true,
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
        env: { ...process.env, ...env, ...(own.broker ? { FAULT_BROKER: own.broker } : {}), ...own.env },
      },
    )
  const lines = (id?: string): BodyLine[] => readLines(log, id && `"${id}"`)
  const fleet: Fleet = {
    app,
    async worker(workerName, { concurrency = 2, ...own } = {}) {
      const spec: Omit<WorkerSpec, 'module'> = { name: workerName, concurrency }
      const entry = own.variant && NAIVE.includes(own.variant) ? './naive-worker.js' : './worker-process.js'
      const worker = workerMember(workerName, start(entry, spec, own), folder)
      workers.push(worker)
      await worker.ready
      return worker
    },
    async publisher(own = {}) {
      const publisher = publisherMember(start('./publisher-process.js', {}, own))
      publishers.push(publisher)
      await publisher.ready
      return publisher
    },
    lines,
    acks: () => readAcks(ackFile),
    seen: ({ id, event, attempt }) =>
      until(
        () => lines(id).find((line) => line.event === event && (attempt === undefined || line.attempt === attempt)),
        { what: `${event} of ${id}` },
      ),
    finish: (id) => writeFileSync(finishFile(log, id), ''),
    heir: (id) => (existsSync(heirFile(log, id)) ? Number(readFileSync(heirFile(log, id), 'utf8')) : 0),
    pause(pids) {
      const fromNs = process.hrtime.bigint()
      for (const pid of pids) process.kill(pid, 'SIGSTOP')
      return {
        wake() {
          for (const pid of pids) {
            const strike = { pid, fromNs, toNs: process.hrtime.bigint(), goneNs: null }
            struck.push(strike)
            if (processState(pid) !== 'gone') process.kill(pid, 'SIGCONT')
            watched.push(watchEnd(strike))
          }
        },
      }
    },
    kill(pid) {
      struck.push({ pid, fromNs: process.hrtime.bigint(), toNs: null, goneNs: null })
      if (processState(pid) !== 'gone') process.kill(pid, 'SIGKILL')
    },
    cutOff(pid) {
      const strike: { -readonly [Field in keyof Struck]: Struck[Field] } = {
        ...{ pid, fromNs: process.hrtime.bigint(), toNs: null, goneNs: null },
      }
      struck.push(strike)
      return {
        heal() {
          strike.toNs = process.hrtime.bigint()
        },
      }
    },
    lostData() {
      lostNs = process.hrtime.bigint()
    },
    endings: () => endingsOf(app, acksToCheck()),
    check: async (options) => (await fleet.judge(options)).flatMap(({ found }) => found),
    async judge({ withinMs = 40_000 } = {}) {
      await until(() => atRest(app, acksToCheck()), { timeoutMs: withinMs, everyMs: 100, what: 'rest' }).catch(
        () => undefined,
      )
      await Promise.all(watched)
      const acks = acksToCheck()
      const endings = await endingsOf(app, acks)
      const recorded = readNsLines<Recorded>(endFile)
      return judge({ lines: lines(), acks, endings, recorded, locks: await lockedKeys(app), limit, struck })
    },
    async end() {
      const problems: string[] = []
      for (const member of [...publishers, ...workers]) {
        if (!(await endsInTime(member))) problems.push(`process ${member.pid} did not end when it was told to`)
      }
      await until(() => marked(log).length === 0, { timeoutMs: 10_000 }).catch(() => undefined)
      for (const pid of marked(log)) {
        problems.push(`process ${pid} was left`)
        process.kill(pid, 'SIGKILL')
      }
      await (await app.connection()).store.destroy()
      await app.close()
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
      process.off('exit', leftover)
      if (problems.length > 0) throw new Error(problems.join('; '))
    },
  }
  return fleet
}

async function endsInTime(member: Member & { stop(): Promise<void> }): Promise<boolean> {
  if (member.exited()) return true
  process.kill(member.pid, 'SIGCONT')
  const late = new Promise<'late'>((resolve) => setTimeout(() => resolve('late'), STOP_MS).unref())
  if ((await Promise.race([member.stop(), late])) !== 'late') return true
  await member.kill()
  return false
}

function member(child: ChildProcess): Member & { readonly ready: Promise<void> } {
  const exit = once(child, 'exit')
  let sprung = false
  const ready = new Promise<void>((resolve, reject) => {
    child.on('message', ({ say }: { say: string }) => {
      if (say === 'ready') resolve()
      if (say === 'sprung') sprung = true
    })
    void exit.then(([code, signal]) => reject(new Error(`a process ended at its start: ${code ?? signal}`)))
  })
  ready.catch(() => undefined)
  const exited = (): boolean => child.exitCode !== null || child.signalCode !== null
  return {
    pid: child.pid ?? 0,
    process: child,
    ready,
    sprung: () => sprung,
    exited,
    async kill() {
      if (exited()) return
      child.kill('SIGKILL')
      await exit
    },
  }
}

function workerMember(
  name: string,
  child: ChildProcess,
  folder: string,
): WorkerMember & { readonly ready: Promise<void> } {
  const events: { name: keyof AppEvents; event: Record<string, unknown> }[] = []
  const own = member(child)
  child.on('message', (line: { say: string; name: keyof AppEvents; event: Record<string, unknown> }) => {
    if (line.say === 'event') events.push({ name: line.name, event: line.event })
    if (line.say === 'event' && process.env['FAULT_TELL'])
      console.log(`        ${name} ${line.name} ${JSON.stringify(line.event)}`)
  })
  return {
    ...own,
    name,
    events,
    children: () => childrenOf(own.pid),
    async stop() {
      if (own.exited()) return
      const exit = once(child, 'exit')
      child.kill('SIGTERM')
      await exit
    },
    block() {
      const file = join(folder, `unblock-${own.pid}`)
      child.send({ do: 'block', until: file } satisfies WorkerOrder)
      return () => writeFileSync(file, '')
    },
  }
}

function publisherMember(child: ChildProcess): PublisherMember & { readonly ready: Promise<void> } {
  const own = member(child)
  const exit = once(child, 'exit')
  let asked = 0
  const ask = <T>(order: (ask: number) => PublisherOrder): Promise<T> => {
    asked += 1
    const mine = asked
    return new Promise<T>((resolve, reject) => {
      const hear = (line: { say: string; ask: number; value?: T; error?: string }): void => {
        if (line.say !== 'answer' || line.ask !== mine) return
        child.off('message', hear)
        if (line.error === undefined) resolve(line.value as T)
        else reject(new Error(line.error))
      }
      child.on('message', hear)
      void exit.then(() => reject(new Error('the publisher is dead')))
      child.send(order(mine), () => undefined)
    })
  }
  return {
    ...own,
    async call(call) {
      const answer = await ask<Ack & { askedNs: string }>((n) => ({ do: 'call', ask: n, call }))
      return { ...answer, askedNs: BigInt(answer.askedNs) }
    },
    hammer: (hammer) => ask<number>((n) => ({ do: 'hammer', ask: n, hammer })),
    async stop() {
      if (own.exited()) return
      child.send({ do: 'stop' } satisfies PublisherOrder, () => undefined)
      await exit
    },
  }
}

/** Whether its dead-man killed a woken process, and when. */
async function watchEnd(strike: { readonly pid: number; goneNs: bigint | null }): Promise<void> {
  const gone = (): boolean => processState(strike.pid) === 'gone'
  await until(gone, { timeoutMs: 500, everyMs: 2 }).then(
    () => (strike.goneNs = process.hrtime.bigint()),
    () => undefined,
  )
}

function readAcks(file: string): Ack[] {
  return readNsLines<Ack>(file)
}

/** JSON lines whose instants, in names that end in `ns`, are texts. */
function readNsLines<Line>(file: string): Line[] {
  if (!existsSync(file)) return []
  const whole = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  return whole.map((line) => JSON.parse(line, (name, value) => (/ns$/i.test(name) ? BigInt(value) : value)) as Line)
}

async function endingsOf(app: App, acks: readonly Ack[]): Promise<Map<string, Ending | null>> {
  const { store } = await app.connection()
  const endings = new Map<string, Ending | null>()
  for (const { id, key } of acks) endings.set(id, (await store.find(id, key as never)).outcome)
  return endings
}

async function lockedKeys(app: App): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of app.locks.list()) keys.push(key)
  return keys
}

/** No lock, no message with the engine, and an end for every accepted call. */
async function atRest(app: App, acks: readonly Ack[]): Promise<boolean> {
  const { servers } = await app.connection()
  const { waiting, delayed, active } = await servers.engine.counts('default')
  if (waiting + delayed + active > 0 || (await lockedKeys(app)).length > 0) return false
  const endings = await endingsOf(app, acks)
  return acks.every(({ id, outcome }) => outcome === 'rejected' || endings.get(id))
}

/** Every process that was started with this fleet's environment, whoever is its parent now. */
function marked(log: string): number[] {
  return pidsWhere((pid) => readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`FAULT_LOG=${log}`))
}

function childrenOf(parent: number): number[] {
  return pidsWhere((pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent
  }).filter((pid) => processState(pid) !== 'gone')
}

function pidsWhere(matches: (pid: number) => boolean): number[] {
  const pids = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))
  return pids.map(Number).filter((pid) => {
    try {
      return matches(pid)
    } catch {
      return false
    }
  })
}
