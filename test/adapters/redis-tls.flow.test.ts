import assert from 'node:assert/strict'
import { openEngine } from '../../adapters/bullmq/index.js'
import { openLockStore } from '../../adapters/redis/index.js'
import { App, BeatlockError, UsageError } from '../../src/index.js'
import type { RedisSettings, ServerSource } from '../../src/task-base/redis-settings.js'
import { startWorker } from '../../src/worker/worker.js'
import { freePort, type RedisServer, startRedis } from '../support/redis-server.js'
import { makeTlsFiles, type TlsFiles } from '../support/tls-files.js'

describe('Redis over TLS', function () {
  this.timeout(60_000)
  let files: TlsFiles
  let server: RedisServer
  let port: number
  /** The same server, which asks clients for a certificate there. */
  let strict: RedisServer
  let strictPort: number

  before(async () => {
    files = makeTlsFiles()
    port = await freePort()
    server = await startRedis({ extra: tlsArguments(port, 'no') })
    strictPort = await freePort()
    strict = await startRedis({ extra: tlsArguments(strictPort, 'yes') })
  })
  after(async () => {
    await server?.stop()
    await strict?.stop()
    files?.remove()
  })

  function tlsArguments(tlsPort: number, clients: 'yes' | 'no'): string[] {
    const { cert, key } = files.server
    const own = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', files.ca]
    return ['--tls-port', `${tlsPort}`, ...own, '--tls-auth-clients', clients]
  }

  it('serves a task from its call to its result: keeper thread and child connect by the same URL', async () => {
    const { cert, key } = files.client
    const app = new App('tls', { broker: `rediss://localhost:${strictPort}/0?ca=${files.ca}&cert=${cert}&key=${key}` })
    const double = app.task('double', {}, (n: number) => 2 * n)
    const worker = await startWorker({ app, ...SERVING })
    try {
      assert.equal(await (await double.delay(21)).get({ timeout: '20s' }), 42)
      assert.equal((await app.connection()).servers.locks, `rediss://localhost:${strictPort}/0`)
    } finally {
      await worker.stop('warm')
    }
  })

  it('takes certificates from code as PEM texts or bytes, beside the URL', async () => {
    const read = (path: string): string => files.read(path)
    const tls = { ca: [read(files.ca)], cert: read(files.client.cert), key: read(files.client.key) }
    const app = new App('tls-code', {
      broker: { url: `redis://127.0.0.1:${strictPort}`, tls: { ...tls, ca: Buffer.from(read(files.ca)) as never } },
    })
    assert.equal((await app.connection()).servers.broker, `redis://127.0.0.1:${strictPort}`)
    await app.close()
    const store = await openLockStore({
      app: 'tls',
      server: 'db',
      url: { url: `rediss://127.0.0.1:${strictPort}`, tls },
    })
    await store.close()
  })

  const WRONG: Record<string, () => readonly [source: ServerSource, sentence: RegExp, sure?: 'maybe']> = {
    'an authority that nobody named': () => [
      `rediss://localhost:${port}`,
      /signed by nobody .* \(ca, or NODE_EXTRA_CA_CERTS\)/,
    ],
    'another authority than the one named': () => [
      `rediss://localhost:${port}?ca=${files.otherCa}`,
      /signed by nobody that this process trusts/,
    ],
    'another name': () => [
      `rediss://localhost:${port}?ca=${files.ca}&servername=db.internal`,
      /for another name .*db\.internal.* \(servername\)/,
    ],
    'no client certificate where one is asked for': () => [
      `rediss://localhost:${strictPort}?ca=${files.ca}`,
      // By the server's own word, or by how it closes: which comes first is the network's to say.
      /asks for a client certificate that it trusts.* give cert and key/,
      'maybe',
    ],
    'a port without TLS': () => [
      `rediss://localhost:${server.port}?ca=${files.ca}`,
      /does not speak TLS on this port|is this its TLS port/,
      'maybe',
    ],
  }

  for (const [what, of] of Object.entries(WRONG)) {
    it(`tells at once, in one sentence with its cure, of ${what}`, async () => {
      const [source, sentence, sure] = of()
      const opened = [
        () => openLockStore({ app: 'tls', server: 'db1:6379', url: source }),
        () => openEngine({ app: 'tls', server: 'db1:6379', redis: { url: source } }),
      ]
      for (const each of opened) {
        await assert.rejects(each(), (error) => {
          assert.ok(error instanceof (sure ? BeatlockError : UsageError), String(error))
          assert.match(error.message, /^db1:6379(:| cannot be reached:) [^\n]*$/)
          assert.match(error.message, sentence)
          return true
        })
      }
    })
  }

  it('refuses certificates that do not belong together before it connects', async () => {
    const { cert } = files.client
    const refused = (settings: RedisSettings, sentence: RegExp): Promise<void> => {
      const app = new App('tls-pair', { broker: settings })
      return assert.rejects(app.connection(), (error) => error instanceof UsageError && sentence.test(error.message))
    }
    const url = 'rediss://localhost'
    await refused({ url, tls: { cert: files.read(cert) } }, /cert alone; a client certificate goes with its key/)
    await refused({ url, tls: { cert: files.read(cert), key: files.read(files.server.key) } }, /cannot be used: .*key/)
    await refused({ url, tls: { ca: 'no certificate' } }, /cannot be used/)
    assert.throws(() => new App('tls-name', { broker: { url, tls: { serverName: 'x' } as never } }), /"servername"/)
  })
})

const SERVING = {
  module: 'none',
  name: 'w1',
  concurrency: 1,
  pool: 'solo',
  queues: ['default'],
  softTimeLimitMs: null,
  timeLimitMs: null,
} as const
