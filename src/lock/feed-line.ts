import type { Socket } from 'node:net'
import type { LossReason } from './lease-keeper.js'

/** What a dead-man tells the keeper: who it is, then which run its process has in hand (null: none). */
export type DeadManLine =
  | { readonly ticket: string; readonly pid: number; readonly kills: KillTarget }
  | { readonly run: string | null }

/** `group`: the process leads its own group and everyone in it dies with it. */
export type KillTarget = 'group' | 'process'

/** What the keeper tells a dead-man. `deadline`: monotonic ns as decimal text, since JSON has no bigint. */
export type FeedLine =
  | { readonly welcome: true }
  | { readonly run: string; readonly deadline: string }
  | { readonly run: string; readonly abort: LossReason }

const LONGEST_LINE = 4096

/** Reads JSON lines from a socket. Text that is none destroys the socket, as anything unexpected on this line does. */
export function onLines<T>(socket: Socket, listener: (line: T) => void): void {
  let rest = ''
  socket.setEncoding('utf8')
  socket.on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    try {
      for (const line of lines) listener(JSON.parse(line) as T)
    } catch {
      socket.destroy()
    }
    if (rest.length > LONGEST_LINE) socket.destroy()
  })
}

export function writeLine(socket: Socket, line: DeadManLine | FeedLine): void {
  if (socket.writable) socket.write(`${JSON.stringify(line)}\n`)
}
