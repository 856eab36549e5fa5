import { connect } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import { type FeedLine, onLines, writeLine } from '../lock/feed-line.js'
import { monotonicNs, msUntil } from '../lock/trust.js'
import type { DeadManData, DeadManNews, DeadManOrder } from './dead-man-line.js'
import { killGroup } from './process-group.js'

/**
 * Entry of the thread that ends its process when the keeper falls silent: at the end of the feed's connection, or at a
 * deadline that no newer one replaced. It has its own event loop, so a main thread that spins does not delay it.
 */
const port = parentPort
if (!port) throw new Error('dead-man-thread is the entry of a thread')

const { path, ticket, kills, cell } = workerData as DeadManData
const tell = (news: DeadManNews) => port.postMessage(news)
const LONGEST_TIMER_MS = 2 ** 31 - 1

let armed = false
let runId: string | null = null
let deadlineNs = 0n
let timer: NodeJS.Timeout | undefined

// A net.Socket and nothing else: a file stream on the descriptor hangs the exit, a blocking read stops the timers.
const socket = connect(path, () => writeLine(socket, { ticket, pid: process.pid, kills }))
socket.on('error', (error) => ended(error.message))
socket.on('end', () => ended('the keeper closed the connection'))
socket.on('close', () => ended('the keeper closed the connection'))
onLines<FeedLine>(socket, hear)

port.on('message', (order: DeadManOrder) => {
  runId = order.runId
  setDeadline(order.runId === null ? 0n : order.deadlineNs)
  writeLine(socket, { run: runId })
})

function hear(line: FeedLine): void {
  if ('welcome' in line) {
    armed = true
    tell({ news: 'armed' })
  } else if (line.run !== runId) {
    return
  } else if ('deadline' in line) {
    setDeadline(BigInt(line.deadline))
  } else {
    tell({ news: 'abort', runId: line.run, reason: line.abort })
  }
}

function setDeadline(atNs: bigint): void {
  deadlineNs = atNs
  Atomics.store(cell, 0, atNs)
  watch()
}

function watch(): void {
  clearTimeout(timer)
  if (deadlineNs === 0n) return
  if (monotonicNs() >= deadlineNs) die()
  else timer = setTimeout(watch, Math.min(msUntil(deadlineNs), LONGEST_TIMER_MS))
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
