import { connect } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import { type FeedLine, onLines, writeLine } from '../lock/feed-line.js'
import { monotonicNs, msToNs, msUntil } from '../lock/trust.js'
import type { DeadManData, DeadManNews } from './dead-man-line.js'
import { killGroup } from './process-group.js'
import { type HeldRun, RunInHand } from './run-in-hand.js'

/**
 * Entry of the thread that ends its process when the keeper falls silent: at the end of the feed's connection, or at a
 * deadline that no newer one replaced. It has its own event loop, so a main thread that spins does not delay it.
 */
const port = parentPort
if (!port) throw new Error('dead-man-thread is the entry of a thread')

const { path, ticket, kills, inHand: memory } = workerData as DeadManData
const inHand = new RunInHand(memory)
const tell = (news: DeadManNews) => port.postMessage(news)
const LONGEST_TIMER_MS = 2 ** 31 - 1
/** The keeper is told of runs that last for so long: others would cost two lines there and back. */
const LASTS_MS = 50

let armed = false
/** The run that was in hand at the last look. */
let seen: string | null = null
/** The run that the keeper knows of. */
let told: string | null = null
let timer: NodeJS.Timeout | undefined
let taken = 0n

// A net.Socket and nothing else: a file stream on the descriptor hangs the exit, a blocking read stops the timers.
const socket = connect(path, () => writeLine(socket, { ticket, pid: process.pid, kills }))
socket.on('error', (error) => ended(error.message))
socket.on('end', () => ended('the keeper closed the connection'))
socket.on('close', () => ended('the keeper closed the connection'))
onLines<FeedLine>(socket, hear)
port.on('message', look)

function hear(line: FeedLine): void {
  if ('welcome' in line) {
    armed = true
    tell({ news: 'armed' })
    return
  }
  const run = inHand.look()
  if (line.run !== run?.runId) return
  if ('abort' in line) tell({ news: 'abort', runId: line.run, reason: line.abort })
  else {
    inHand.extend(run, BigInt(line.deadline))
    look()
  }
}

/** Dies, tells what is to be told, and looks again: at the deadline of a run that lasts, soon after the start of one. */
function look(): void {
  clearTimeout(timer)
  const run = inHand.look()
  if (run && monotonicNs() >= run.deadlineNs) die()
  const runId = run?.runId ?? null
  tellKeeper(runId === seen ? runId : null)
  seen = runId
  const waitMs = untilNextMs(run)
  inHand.lookAgainAt(waitMs === undefined ? 0n : monotonicNs() + msToNs(waitMs))
  if (waitMs !== undefined) timer = setTimeout(look, waitMs)
  // It was left or taken meanwhile, by a main thread that did not know yet that it must tell.
  if (inHand.look()?.runId !== run?.runId && (told !== null || waitMs === undefined)) look()
}

/** Undefined: none came since the last look either, so the next one may wake this thread. */
function untilNextMs(run: HeldRun | null): number | undefined {
  const before = taken
  taken = inHand.taken
  if (run) return Math.min(msUntil(run.deadlineNs), told === null ? LASTS_MS : LONGEST_TIMER_MS)
  return taken === before ? undefined : LASTS_MS
}

function tellKeeper(runId: string | null): void {
  if (runId === told) return
  told = runId
  inHand.told(runId !== null)
  writeLine(socket, { run: runId })
}

function ended(why: string): void {
  if (armed) die()
  else tell({ news: 'failed', why })
}

/** Its group first: what the body started must not go on without it. Then itself, should it lead none after all. */
function die(): void {
  if (kills === 'group') killGroup(process.pid)
  process.kill(process.pid, 'SIGKILL')
}
