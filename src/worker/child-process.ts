import { join } from 'node:path'
import { monotonicNs } from '../lock/trust.js'
import type { BodyVerdict } from '../task-base/body.js'
import { errorText, packError, unpackError } from '../task-base/carried-error.js'
import { LockLost, SoftTimeLimitExceeded, stoppedByLoss } from '../task-base/error.js'
import { writeBodyLine } from './body-log.js'
import type { ChildLine, ChildStart, ParentLine, WireBody } from './child-line.js'
import { armDeadMan, type DeadMan } from './dead-man.js'
import type { AbortReason } from './pool.js'
import { killGroup } from './process-group.js'
import type { Runner, RunnerModule } from './runner.js'
import { fitsChannel, spill, takeSpilled } from './spill.js'

/** Entry of a pool's child: runs one body at a time and nothing else. */
interface Child {
  readonly start: ChildStart
  readonly deadMan: DeadMan
  readonly runner: Runner
  running: { readonly body: WireBody; readonly controller: AbortController } | undefined
}

let child: Child | undefined
let asked = 0
const questions = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()

// A terminal's Ctrl-C is the parent's to judge.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
// Until its dead-man is armed, the end of a lost parent is seen here only. No exit hook of the app's may delay it.
process.on('disconnect', () => killGroup(process.pid))
process.on('message', (line: ParentLine) => void hear(line))

async function hear(line: ParentLine): Promise<void> {
  if (line.do === 'start') await start(line)
  else if (line.do === 'answer') settleQuestion(line)
  else if (!child) return
  else if (line.do === 'run') await run(child, 'file' in line ? await takeSpilled<WireBody>(line.file) : line.body)
  else if (line.do === 'abort') abort(child, line.runId, line.why)
  else if (line.do === 'stop') await stop(child)
}

async function start(line: ChildStart): Promise<void> {
  try {
    const deadMan = await armDeadMan({ ...line.feed, kills: 'group' })
    const { openRunner } = (await import(line.runner)) as RunnerModule
    const runner = await openRunner(line.spec, { ask })
    const started: Child = { start: line, deadMan, runner, running: undefined }
    deadMan.onAbort((runId, reason) => abort(started, runId, reason === 'cancelled' ? 'cancelled' : 'lost'))
    child = started
    tell({ say: 'ready' })
  } catch (error) {
    process.send?.({ say: 'failed', error: packError(error) } satisfies ChildLine, () => process.exit(1))
  }
}

async function run(own: Child, body: WireBody): Promise<void> {
  // Grant or order may have been long on their way: nothing is begun on a trust that is over.
  if (body.deadlineNs !== null && monotonicNs() >= BigInt(body.deadlineNs)) return killGroup(process.pid)
  const controller = new AbortController()
  own.running = { body, controller }
  if (body.deadlineNs !== null) own.deadMan.watch(body.runId, BigInt(body.deadlineNs))
  const verdict = await execute(own, body, controller.signal)
  // It stopped because its lock is lost: that is no end of its message, which runs again wherever the lock is by then.
  if (verdict.end === 'threw' && stoppedByLoss(controller.signal)) return killGroup(process.pid)
  if (body.deadlineNs !== null) own.deadMan.rest()
  own.running = undefined
  await tellEnd(own, body.runId, verdict)
}

async function execute({ runner, deadMan }: Child, body: WireBody, signal: AbortSignal): Promise<BodyVerdict> {
  const { message, token, space, deliveries, retries } = body
  const remainingMs = () => {
    const untilNs = deadMan.deadlineNs()
    return untilNs === undefined ? Number.POSITIVE_INFINITY : Math.max(0, Number(untilNs - monotonicNs()) / 1e6)
  }
  try {
    return await runner.run({ message, token, space, deliveries, retries, remainingMs, signal, log: writeBodyLine })
  } catch (error) {
    return { end: 'threw', error: errorText(error) }
  }
}

async function tellEnd(
  { start: { spill: folder, weighed } }: Child,
  runId: string,
  verdict: BodyVerdict,
): Promise<void> {
  // Some 30 µs: only where it is looked at.
  const rssBytes = weighed ? process.memoryUsage.rss() : 0
  if (verdict.end !== 'returned' || fitsChannel(verdict.result)) return tell({ say: 'end', runId, rssBytes, verdict })
  const file = join(folder, `${process.pid}.out`)
  try {
    await spill(file, verdict)
  } catch (error) {
    // A full disk, say: the body has run, and must not run again for what became of its result.
    return tell({ say: 'end', runId, rssBytes, verdict: { end: 'threw', error: errorText(error) } })
  }
  tell({ say: 'end', runId, rssBytes, file })
}

function abort({ running }: Child, runId: string, why: AbortReason): void {
  if (running?.body.runId !== runId) return
  running.controller.abort(
    why === 'soft' ? new SoftTimeLimitExceeded(running.body.softLimitMs ?? 0) : new LockLost(why),
  )
}

async function stop({ runner }: Child): Promise<void> {
  await runner.close()
  await Promise.all([process.stdout, process.stderr].map(flushed))
  process.exit(0)
}

/** What was printed may still wait here for a slow reader; exit() would drop it. */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write('', () => resolve()))
}

function ask(call: unknown): Promise<unknown> {
  asked += 1
  const id = asked
  return new Promise((resolve, reject) => {
    questions.set(id, { resolve, reject })
    tell({ say: 'ask', id, call })
  })
}

function settleQuestion(line: Extract<ParentLine, { do: 'answer' }>): void {
  const question = questions.get(line.id)
  questions.delete(line.id)
  if ('error' in line) question?.reject(unpackError(line.error))
  else question?.resolve(line.value)
}

function tell(line: ChildLine): void {
  // A channel that broke means a parent that is gone: the dead-man is on its way.
  process.send?.(line, undefined, undefined, () => {})
}
