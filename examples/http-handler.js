// An import that must not run twice at a time, behind several web processes: a second request gets 409 and who is at it.
import { createServer } from 'node:http'
import { App } from 'beatlock'

const app = new App('shop', { broker: process.env.BEATLOCK_BROKER ?? 'redis://127.0.0.1:6379/0' })

const server = createServer(async (request, response) => {
  try {
    const answer = await app.locks.run('import', { key: request.url, wait: '200ms' }, ({ signal }) => runImport(signal))
    if (answer.ran) response.end(JSON.stringify(answer.value))
    else response.writeHead(409).end(JSON.stringify({ busy: answer.holder }))
  } catch (error) {
    console.error(error)
    response.writeHead(503).end()
  }
})
server.listen(Number(process.env.PORT ?? 8080), '127.0.0.1', () => {
  const address = server.address()
  console.log(`listening on ${typeof address === 'object' ? address?.port : address}`)
})

/** @param {AbortSignal} signal aborted when the lock is lost: stop writing then */
async function runImport(signal) {
  signal.throwIfAborted()
  return { imported: 42 }
}

process.once('SIGTERM', async () => {
  server.close()
  await app.close()
})
