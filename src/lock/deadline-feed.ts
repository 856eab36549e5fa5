import { createServer, type Server, type Socket } from 'node:net'
import { type DeadManLine, type FeedLine, onLines, writeLine } from './feed-line.js'
import { TicketGate } from './feed-ticket.js'
import type { LossReason } from './lease-keeper.js'

export interface DeadlineFeedOptions {
  /** Of the Unix socket, in a folder that only its owner may enter. */
  readonly path: string
  readonly ticketKey: Uint8Array
  /** Until when a run's lease is trusted now; undefined for a run that is not known (yet). */
  readonly deadlineNs: (runId: string) => bigint | undefined
  /** Why a run's lease is gone already; undefined while it is not. */
  readonly lossOf: (runId: string) => LossReason | undefined
}

interface Listener {
  readonly socket: Socket
  /** What `kill(2)` is given: negative for a group. */
  readonly target: number
  runId: string | null
}

/**
 * Tells the dead-man thread of each child until when its run may live. The end of a connection is the message that
 * matters most: it comes from the kernel even when nobody here is left to send it.
 */
export class DeadlineFeed {
  readonly #options: DeadlineFeedOptions
  readonly #gate: TicketGate
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #listeners = new Set<Listener>()

  constructor(options: DeadlineFeedOptions) {
    this.#options = options
    this.#gate = new TicketGate(options.ticketKey)
    this.#server = createServer((socket) => this.#meet(socket)).unref()
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(this.#options.path, resolve)
    })
    this.#server.on('error', () => {})
  }

  deadline(runId: string, deadlineNs: bigint): void {
    for (const listener of this.#of(runId)) sendDeadline(listener, deadlineNs)
  }

  abort(runId: string, reason: LossReason): void {
    for (const { socket } of this.#of(runId)) send(socket, { run: runId, abort: reason })
  }

  /**
   * The second line behind a dead-man that cannot act: its process is stopped, say. As long as the connection is open
   * its process exists, so the pid is still its own.
   */
  kill(runId: string): void {
    for (const { target } of this.#of(runId)) {
      try {
        process.kill(target, 'SIGKILL')
      } catch {
        // Gone already: its own dead-man is the first line.
      }
    }
  }

  /** Ends every connection, which ends every process that is still connected. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  #of(runId: string): Listener[] {
    return [...this.#listeners].filter((listener) => listener.runId === runId)
  }

  #meet(socket: Socket): void {
    let listener: Listener | undefined
    this.#sockets.add(socket)
    socket.unref()
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#sockets.delete(socket)
      if (listener) this.#listeners.delete(listener)
    })
    onLines<DeadManLine>(socket, (line) => {
      if (listener && 'run' in line) this.#watch(listener, line.run)
      else listener = this.#admit(socket, line)
    })
  }

  #admit(socket: Socket, line: DeadManLine): Listener | undefined {
    if (!('ticket' in line) || !Number.isSafeInteger(line.pid) || line.pid < 2 || !this.#gate.admit(line.ticket)) {
      socket.destroy()
      return undefined
    }
    const listener = { socket, target: line.kills === 'group' ? -line.pid : line.pid, runId: null }
    this.#listeners.add(listener)
    send(socket, { welcome: true })
    return listener
  }

  #watch(listener: Listener, runId: string | null): void {
    listener.runId = runId
    const deadlineNs = runId === null ? undefined : this.#options.deadlineNs(runId)
    if (deadlineNs !== undefined) sendDeadline(listener, deadlineNs)
    // It may have been lost before anybody here knew who has it in hand.
    const loss = runId === null ? undefined : this.#options.lossOf(runId)
    if (runId !== null && loss) send(listener.socket, { run: runId, abort: loss })
  }
}

/** Not to one that has not read the last ones: it is stopped, and the next renewal brings a newer deadline anyway. */
function sendDeadline({ socket, runId }: Listener, deadlineNs: bigint): void {
  if (runId !== null && socket.writableLength === 0) send(socket, { run: runId, deadline: String(deadlineNs) })
}

function send(socket: Socket, line: FeedLine): void {
  writeLine(socket, line)
}
