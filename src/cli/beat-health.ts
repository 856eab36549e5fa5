import { once } from 'node:events'
import { createServer } from 'node:http'
import type { BeatHealth } from '../beat/health.js'
import { UsageError } from '../lock/error.js'

export interface Address {
  readonly host: string
  readonly port: number
}

/** `8080` (on the loopback) or `0.0.0.0:8080`. @throws UsageError */
export function readAddress(text: string | undefined): Address | undefined {
  if (text === undefined) return undefined
  const [, host = '127.0.0.1', port = ''] = /^(?:(.+):)?(\d{1,5})$/.exec(text) ?? []
  if (port !== '' && Number(port) <= 65_535) return { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) }
  throw new UsageError(`--healthz must be PORT or HOST:PORT such as 127.0.0.1:8080, got '${text}'.`)
}

/** Answers `GET /healthz` with what the beat tells of itself: 200 while it reaches its servers, else 503 and why. */
export async function serveHealth(
  { host, port }: Address,
  { health }: { readonly health: () => BeatHealth },
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    if (request.url?.split('?')[0] !== '/healthz') {
      response.writeHead(404).end()
      return
    }
    const told = health()
    response.writeHead(told.ok ? 200 : 503, { 'content-type': 'application/json' }).end(`${JSON.stringify(told)}\n`)
  })
  const failed = once(server, 'error').then(([cause]) => {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new UsageError(`--healthz cannot listen on ${host}:${port}: ${why}; name another port.`, { cause })
  })
  failed.catch(() => undefined)
  server.listen(port, host)
  await Promise.race([once(server, 'listening'), failed])
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
