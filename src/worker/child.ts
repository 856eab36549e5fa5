import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { BeatlockError } from '../lock/error.js'
import type { Feed } from '../lock/keeper.js'
import { monotonicNs } from '../lock/trust.js'
import type { BodyEnd, BodyRequest, BodyVerdict, KillReason } from '../task-base/body.js'
import { errorText, packError } from '../task-base/carried-error.js'
import { exitOf, startFailure, wasKilled } from './child-end.js'
import type { ChildLine, EndLine, ParentLine } from './child-line.js'
import { type ChildOutput, passOn } from './child-output.js'
import { limitAfter } from './limit.js'
import type { AbortReason } from './pool.js'
import { groupEnded, killGroup } from './process-group.js'
import { fitsChannel, spill, takeSpilled } from './spill.js'

export interface ChildOptions {
  readonly feed: Feed
  /** `file:` URL of a {@link RunnerModule}. */
  readonly runner: string
  /** JSON, handed to the runner. */
  readonly spec: unknown
  /** Folder for payloads that are too large for the channel. */
  readonly spill: string
  /** Whether it tells its resident memory after each body. */
  readonly weighed: boolean
  readonly onAsk: (call: unknown) => Promise<unknown>
  /** How long it may take to be ready, ms; default 60 s. Then it is killed. */
  readonly readyMs?: number
}

interface Running {
  readonly body: BodyRequest
  readonly limits: NodeJS.Timeout[]
  aborted: AbortReason | undefined
  end(how: BodyEnd): void
}

const ENTRY = fileURLToPath(new URL('./child-process.js', import.meta.url))
/** How long what a child wrote before its death may take to be read here. It is there already, so this is rarely used. */
const LAST_WORDS_MS = 50
const READY_MS = 60_000
const GROUP_END_MS = 2000
const STOP_MS = 3000

/** One child process, seen from its parent. */
export class Child {
  readonly pid: number
  /** Resolves when it can take a body; rejects with CHILD_START and its own message. */
  readonly ready: Promise<void>
  /** Resolves when nothing of its process group runs any more. */
  readonly gone: Promise<void>
  /** How many bodies it was given. */
  runs = 0
  /** Its resident memory after its last body, bytes; 0 before, and if it is not weighed. */
  rssBytes = 0
  readonly #options: ChildOptions
  readonly #process: ChildProcess
  readonly #output: ChildOutput
  #alive = true
  #stopping = false
  #running: Running | undefined
  #killed: KillReason | undefined
  #failure: BeatlockError | undefined
  #isReady: () => void = () => {}
  #detail = ''
  /** A verdict that is being read from its file. */
  #verdict: Promise<void> | undefined

  constructor(options: ChildOptions) {
    this.#options = options
    this.#process = fork(ENTRY, [], {
      detached: true,
      serialization: 'json',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      execArgv: process.execArgv.filter((flag) => !flag.startsWith('--inspect')),
    })
    this.pid = this.#process.pid ?? 0
    this.#output = passOn(this.#process)
    const { feed, runner, spec, spill: folder, weighed } = options
    this.#process.on('message', (line: ChildLine) => this.#hear(line))
    this.gone = exitOf(this.#process).then((how) => this.#end(how))
    this.ready = Promise.race([new Promise<void>((resolve) => (this.#isReady = resolve)), this.#failed()])
    const late = setTimeout(() => this.#tooLate(), options.readyMs ?? READY_MS)
    this.ready.catch(() => {}).finally(() => clearTimeout(late))
    const ticket = { path: feed.path, ticket: feed.ticket() }
    this.#tell({ do: 'start', feed: ticket, runner, spec, spill: folder, weighed })
  }

  /** Whether it may be given a body: neither gone nor about to go. */
  get usable(): boolean {
    return this.#alive && !this.#stopping && this.#killed === undefined
  }

  /** Resolves when all that it printed has been passed on. */
  get silent(): Promise<void> {
    return this.#output.ended
  }

  get body(): BodyRequest | undefined {
    return this.#running?.body
  }

  /** Of a child that is gone: whether somebody else than its parent ended it by a signal, and not its own fault. */
  get killedFromOutside(): boolean {
    return wasKilled(this.#process) && this.#killed === undefined && this.#failure === undefined
  }

  /** Why it is gone, of a child that nobody asked for anything. */
  endedEarly(): BeatlockError {
    return startFailure(`a child ended right after its start: ${this.#detail}`)
  }

  /** Runs one body; the child must be ready and without one. */
  run(body: BodyRequest): Promise<BodyEnd> {
    this.runs += 1
    this.#output.forget()
    return new Promise((resolve) => {
      const end = (how: BodyEnd) => {
        for (const limit of limits) clearTimeout(limit)
        this.#running = undefined
        resolve(how)
      }
      const limits = [
        ...limitAfter(body.softLimitMs, () => this.abort('soft')),
        ...limitAfter(body.hardLimitMs, () => this.kill('time_limit')),
      ]
      this.#running = { body, limits, aborted: undefined, end }
      void this.#hand(body)
    })
  }

  abort(why: AbortReason): void {
    if (!this.#running) return
    this.#running.aborted = why
    this.#tell({ do: 'abort', runId: this.#running.body.runId, why })
  }

  /** The first reason stands. */
  kill(why: KillReason): void {
    if (!this.#alive) return
    this.#killed ??= why
    killGroup(this.pid)
  }

  /** Lets an idle child close what it opened; kills one that does not within a bound. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#tell({ do: 'stop' })
    const late = setTimeout(() => this.kill('shutdown'), STOP_MS)
    await this.gone
    clearTimeout(late)
  }

  async #hand(body: BodyRequest): Promise<void> {
    // Renewed meanwhile, if the body waited for a child: the deadline of its grant may have passed.
    const deadlineNs = body.deadlineNs === null ? null : (this.#options.feed.deadlineNs(body.runId) ?? body.deadlineNs)
    const wire = { ...body, deadlineNs: deadlineNs === null ? null : String(deadlineNs) }
    if (fitsChannel(body.message)) return this.#tell({ do: 'run', body: wire })
    try {
      await spill(this.#file('in'), wire)
      this.#tell({ do: 'run', file: this.#file('in') })
    } catch (error) {
      this.#running?.end({ end: 'threw', error: errorText(error) })
    }
  }

  #hear(line: ChildLine): void {
    if (line.say === 'ready') this.#isReady()
    else if (line.say === 'failed') this.#failure = startFailure(line.error.message, line.error.stack)
    else if (line.say === 'ask') void this.#answer(line.id, line.call)
    // A verdict that crossed our SIGKILL is not waited for: the run ends when its group has.
    else if (line.runId !== this.#running?.body.runId || this.#killed) return
    else this.#hearEnd(this.#running, line)
  }

  #hearEnd(running: Running, line: EndLine): void {
    this.rssBytes = line.rssBytes
    if ('verdict' in line) running.end(line.verdict)
    else this.#verdict = this.#readVerdict(running, line.file)
  }

  async #readVerdict(running: Running, file: string): Promise<void> {
    try {
      running.end(await takeSpilled<BodyVerdict>(file))
    } catch (error) {
      running.end({ end: 'threw', error: errorText(error) })
    }
  }

  async #answer(id: number, call: unknown): Promise<void> {
    try {
      this.#tell({ do: 'answer', id, value: (await this.#options.onAsk(call)) ?? null })
    } catch (error) {
      this.#tell({ do: 'answer', id, error: packError(error) })
    }
  }

  #tooLate(): void {
    const withinS = (this.#options.readyMs ?? READY_MS) / 1000
    this.#failure = startFailure(
      `a child was not ready within ${withinS} s and was ended; does the app's module wait for something when it loads?`,
    )
    this.kill('shutdown')
  }

  async #failed(): Promise<never> {
    await this.gone
    throw this.#failure ?? startFailure(`a child ended before it was ready: ${this.#detail}`)
  }

  /** On `exit`, not on `close`: a grandchild that holds the pipes must not delay the news. */
  async #end(how: number | string): Promise<void> {
    const exitSeenNs = monotonicNs()
    this.#alive = false
    killGroup(this.pid)
    await Promise.race([
      Promise.all([this.#channelRead(), this.#output.ended]),
      sleep(LAST_WORDS_MS, undefined, { ref: false }),
    ])
    await this.#verdict
    await groupEnded(this.pid, GROUP_END_MS)
    const line = this.#output.lastWords()
    this.#detail = `${typeof how === 'number' ? `exit code ${how}` : how}${line === '' ? '' : `: ${line}`}`
    this.#running?.end({ end: 'killed', why: this.#why(this.#running, exitSeenNs), detail: this.#detail, exitSeenNs })
    rmSync(this.#file('in'), { force: true })
    rmSync(this.#file('out'), { force: true })
  }

  /** A child may die right after it sent its verdict: that is still in the channel. */
  async #channelRead(): Promise<void> {
    if (this.#process.connected) await once(this.#process, 'disconnect')
  }

  /** A child that its dead-man killed says nothing: the deadline does. */
  #why({ body, aborted }: Running, exitSeenNs: bigint): KillReason {
    if (this.#killed) return this.#killed
    const deadlineNs = this.#options.feed.deadlineNs(body.runId) ?? body.deadlineNs
    const late = deadlineNs !== null && deadlineNs <= exitSeenNs
    return this.#process.signalCode === 'SIGKILL' && (late || aborted === 'lost') ? 'lost' : 'crashed'
  }

  #file(kind: 'in' | 'out'): string {
    return join(this.#options.spill, `${this.pid}.${kind}`)
  }

  #tell(line: ParentLine): void {
    // Its death is told by `exit`; a channel that broke first says nothing new.
    if (this.#process.connected) this.#process.send(line, () => {})
  }
}
