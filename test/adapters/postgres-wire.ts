import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A TCP proxy that reads along: how often a client waits for an answer, and connections cut on one side only. */
export interface Wire {
  readonly port: number
  /** Statements sent so far, each one a round trip; the handshakes are not counted. */
  trips(): number
  /** What was sent for each of them: its text, and its values where they are text. */
  sent(): readonly string[]
  /** Resets the clients; the server's side stays open, as if its machine had not heard yet. */
  cutClients(): void
  /** From this trip on no reply comes through, until what is answered is called. */
  holdRepliesAt(trip: number): () => void
  close(): Promise<void>
}

const SYNC = 'S'.charCodeAt(0)
const QUERY = 'Q'.charCodeAt(0)

export async function startWire(port: number): Promise<Wire> {
  const sockets = new Set<Socket>()
  const clients = new Set<Socket>()
  const sent: string[] = []
  let heldFrom = Number.POSITIVE_INFINITY
  const proxy = createServer((client) => {
    const server = connect({ host: '127.0.0.1', port })
    let asked = ''
    const read = messageReader((type, body) => {
      asked += body.toString('utf8')
      if (type !== SYNC && type !== QUERY) return
      sent.push(asked)
      asked = ''
    })
    for (const socket of [client, server]) sockets.add(socket.on('error', () => {}))
    clients.add(client)
    client.on('data', (chunk: Buffer) => {
      read(chunk)
      if (sent.length >= heldFrom) server.pause()
      server.write(chunk)
    })
    client.on('end', () => server.end())
    server.on('data', (chunk: Buffer) => client.write(chunk))
    server.on('end', () => client.end())
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  return {
    port: (proxy.address() as AddressInfo).port,
    trips: () => sent.length,
    sent: () => sent,
    cutClients: () => {
      for (const client of clients) client.resetAndDestroy()
      clients.clear()
    },
    holdRepliesAt: (trip) => {
      heldFrom = trip
      return () => {
        heldFrom = Number.POSITIVE_INFINITY
        for (const socket of sockets) socket.resume()
      }
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      proxy.close()
      await once(proxy, 'close')
    },
  }
}

/** Splits what a client sends: first a start-up message without a type, then type, length, body. */
function messageReader(onMessage: (type: number, body: Buffer) => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0)
  let started = false
  return (chunk) => {
    rest = Buffer.concat([rest, chunk])
    for (;;) {
      const head = started ? 1 : 0
      if (rest.length < head + 4) return
      const length = head + rest.readInt32BE(head)
      if (rest.length < length) return
      if (started) onMessage(rest[0] as number, rest.subarray(head + 4, length))
      started = true
      rest = rest.subarray(length)
    }
  }
}
