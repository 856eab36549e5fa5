import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** Stands between a client and its server on the loopback and does what networks do. */
export interface TcpProxy {
  readonly port: number
  /** How often a client spoke after having heard a reply: with replies held back a little, the round trips. */
  readonly turns: number
  /** Closes every connection and refuses new ones until `heal`. */
  cut(): void
  /** Holds every reply back for so long. */
  delay(ms: number): void
  /** Requests still reach the server; replies of every connection, present or new, vanish until `heal`. */
  swallow(): void
  /** The next reply vanishes and its connection is closed; the server did what it was asked. */
  loseNextReply(): void
  /** New connections work again. One that lost a reply stays mute: what came next would answer another question. */
  heal(): void
  stop(): Promise<void>
}

interface Line {
  readonly client: Socket
  readonly server: Socket
  mute: boolean
  heard: boolean
  /** Replies that are held back: none overtakes another. */
  readonly held: Buffer[]
}

/** @param port of the server behind it */
export async function startTcpProxy(port: number): Promise<TcpProxy> {
  const lines = new Set<Line>()
  const timers = new Set<NodeJS.Timeout>()
  const state = { refuses: false, swallows: false, losesNext: false, delayMs: 0, turns: 0 }

  const end = (line: Line): void => {
    line.client.destroy()
    line.server.destroy()
    lines.delete(line)
  }

  const deliver = (line: Line, reply: Buffer): void => {
    if (state.losesNext) {
      state.losesNext = false
      end(line)
      return
    }
    line.mute ||= state.swallows
    if (line.mute) return
    line.heard = true
    line.client.write(reply)
  }

  const proxy = createServer((client) => {
    if (state.refuses) {
      client.destroy()
      return
    }
    const line: Line = { client, server: connect(port, '127.0.0.1'), mute: false, heard: true, held: [] }
    lines.add(line)
    client.setNoDelay(true)
    line.server.setNoDelay(true)
    client.on('data', (request) => {
      if (line.heard) state.turns += 1
      line.heard = false
      line.server.write(request)
    })
    line.server.on('data', (reply) => {
      if (state.delayMs === 0 && line.held.length === 0) return deliver(line, reply)
      line.held.push(reply)
      const timer = setTimeout(() => {
        timers.delete(timer)
        const first = line.held.shift()
        if (first) deliver(line, first)
      }, state.delayMs)
      timers.add(timer)
    })
    for (const socket of [client, line.server]) {
      socket.on('error', () => end(line))
      socket.on('close', () => end(line))
    }
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const address = proxy.address()
  if (address === null || typeof address === 'string') throw new Error('no port')

  return {
    port: address.port,
    get turns() {
      return state.turns
    },
    cut: () => {
      state.refuses = true
      for (const line of lines) end(line)
    },
    delay: (ms) => {
      state.delayMs = ms
    },
    swallow: () => {
      state.swallows = true
    },
    loseNextReply: () => {
      state.losesNext = true
    },
    heal: () => {
      Object.assign(state, { refuses: false, swallows: false, losesNext: false, delayMs: 0 })
    },
    stop: async () => {
      const closed = once(proxy, 'close')
      proxy.close()
      for (const timer of timers) clearTimeout(timer)
      for (const line of lines) end(line)
      await closed
    },
  }
}
