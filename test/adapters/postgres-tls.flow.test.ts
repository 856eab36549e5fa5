import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { serverAccount } from '../../adapters/embedded/account.js'
import { openBarrier, openLockStore, openScheduleStore, parsePostgresUrl } from '../../adapters/postgres/index.js'
import { connect } from '../../src/connect.js'
import { UsageError } from '../../src/lock/error.js'
import { KEY } from '../contract/lock-store/scene.js'
import { type Authority, type Certificate, makeAuthority } from '../support/certificate.js'
import { startScene } from '../support/flow-scene.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { until } from '../support/until.js'
import { appName } from './postgres-bench.js'

/** Who comes without TLS, with it, and with a certificate of his own beside it. */
const RULES = `
local   all all       scram-sha-256
host    all beatlock  127.0.0.1/32 scram-sha-256
hostssl all known     127.0.0.1/32 scram-sha-256 clientcert=verify-ca
hostssl all ciphered  127.0.0.1/32 scram-sha-256
`

describe('Postgres over TLS', function () {
  this.timeout(120_000)
  let ours: Authority
  let others: Authority
  let client: Certificate
  let stranger: Certificate
  let server: PostgresServer
  let admin: Client
  let folder: string

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'beatlock-test-tls-'))
    ours = makeAuthority('ours')
    others = makeAuthority('others')
    client = ours.sign('client', 'DNS:client')
    stranger = others.sign('stranger', 'DNS:stranger')
    const { cert, key } = ours.sign('server', 'DNS:localhost')
    const rules = join(ours.cert, '..', 'rules')
    writeFileSync(rules, RULES)
    ours.giveTo(await serverAccount(folder))
    const files = { ssl_cert_file: cert, ssl_key_file: key, ssl_ca_file: ours.cert }
    server = await startPostgres({ settings: { ssl: 'on', ...files, hba_file: rules } })
    admin = new Client(server.connection)
    await admin.connect()
    await admin.query("create role known login superuser password 'pw'; create role ciphered login password 'pw'")
  })
  after(async () => {
    await admin?.end()
    await server?.remove()
    for (const each of [ours, others]) each?.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  /** As an app's URL names it. */
  const urlOf = (query: Record<string, string>, login = `beatlock:${server.connection.password}`, host = 'localhost') =>
    `postgres://${login}@${host}:${server.connection.port}/postgres?${new URLSearchParams(query)}`
  const known = () => ({ sslmode: 'verify-full', sslrootcert: ours.cert, sslcert: client.cert, sslkey: client.key })

  const connected = (url: string) =>
    connect({
      ...{ app: appName(), broker: url, locks: undefined, barrier: 'auto', embeddedDir: undefined, mayStart: false },
      trouble: () => {},
    })
  const refused = async (url: string, sentence: RegExp): Promise<void> => {
    await assert.rejects(connected(url), (error: unknown) => {
      assert.ok(error instanceof UsageError, String(error))
      assert.match(error.message, sentence)
      return true
    })
    const { connection } = parsePostgresUrl(url)
    for (const open of [openLockStore, openScheduleStore, openBarrier]) {
      const opening = open({ app: appName(), connection, server: 'the server' }) as Promise<unknown>
      await assert.rejects(opening, (error: unknown) => error instanceof UsageError && sentence.test(error.message))
    }
  }

  it('every connection of a worker and of its children is encrypted, and shows the certificate of ours', async () => {
    const scene = await startScene({ place: { url: urlOf(known(), 'known:pw') }, app: appName(), lease: '15s' })
    try {
      const ran = await scene.flow.publisher.delay(1)
      assert.equal(await ran.get({ timeout: '30s' }), 'published')
      await scene.idle()
      const { rows } = await admin.query(`select application_name as name, ssl, client_dn as dn
        from pg_stat_ssl join pg_stat_activity using (pid) where usename = 'known'`)
      const sessions = rows as { name: string; ssl: boolean; dn: string | null }[]
      for (const name of ['beatlock', `beatlock:${scene.app.name}`, `beatlock:${scene.app.name}:w1`]) {
        assert.ok(
          sessions.some((session) => session.name === name),
          `${name} in ${JSON.stringify(sessions)}`,
        )
      }
      assert.deepEqual(
        sessions.filter(({ ssl, dn }) => !ssl || dn !== '/CN=client'),
        [],
      )
    } finally {
      await scene.stop()
    }
  })

  it('a barrier ends with its connection', async () => {
    const { connection } = parsePostgresUrl(urlOf(known(), 'known:pw'))
    const options = { app: appName(), connection, server: 'the server' }
    const [first, second] = [await openBarrier(options), await openBarrier(options)]
    const seat = { key: KEY, slot: 0 }
    assert.equal(await first.take(seat), 'taken')
    assert.equal(await second.take(seat), 'refused')
    await first.close()
    await until(async () => (await second.take(seat)) === 'taken', { what: 'the seat to be free' })
    await second.close()
  })

  it('is taken from whom each mode accepts', async () => {
    for (const [query, host] of [
      [{ sslmode: 'require' }, '127.0.0.1'],
      [{ sslmode: 'require', sslrootcert: ours.cert }, '127.0.0.1'],
      [{ sslmode: 'verify-ca', sslrootcert: ours.cert }, '127.0.0.1'],
      [{ sslmode: 'verify-full', sslrootcert: ours.cert }, 'localhost'],
    ] as const) {
      const servers = await connected(urlOf(query, undefined, host))
      await servers.lockStore.now()
      await servers.close()
    }
  })

  it('is refused to a certificate of an authority that is not named, whatever the mode', async () => {
    const sentence = /no authority that is known here has signed its certificate .*sslrootcert=FILE\.$/
    for (const sslmode of ['require', 'verify-ca', 'verify-full']) {
      await refused(urlOf({ sslmode, sslrootcert: others.cert }), sentence)
    }
    await refused(urlOf({ sslmode: 'verify-full' }), sentence)
  })

  it('is refused to a certificate of another host, by verify-full', async () => {
    const url = urlOf({ sslmode: 'verify-full', sslrootcert: ours.cert }, undefined, '127.0.0.1')
    await refused(url, /certificate is for DNS:localhost; connect by that name, or write sslmode=verify-ca\.$/)
  })

  it('a server that asks for a certificate of ours says which parameters name one', async () => {
    const sentence = /it asks for a certificate of ours that it knows; name one by sslcert=FILE and sslkey=FILE\.$/
    await refused(urlOf({ sslmode: 'require' }, 'known:pw'), sentence)
    await refused(urlOf({ ...known(), sslcert: stranger.cert, sslkey: stranger.key }, 'known:pw'), sentence)
  })

  it('a server that takes no plain text says which mode to write', async () => {
    await refused(urlOf({}, 'ciphered:pw'), /does not take this login in plain text; write sslmode=verify-full\.$/)
  })

  it('a certificate that has expired is named as such, and the one that replaces it is taken', async () => {
    const files = ['ssl_cert_file', 'ssl_key_file'] as const
    const { rows } = await admin.query(
      `select ${files.map((name) => `current_setting('${name}') as ${name}`).join(', ')}`,
    )
    const present = rows[0] as Record<(typeof files)[number], string>
    const install = async ({ cert, key }: Certificate) => {
      copyFileSync(cert, present.ssl_cert_file)
      copyFileSync(key, present.ssl_key_file)
      await admin.query('select pg_reload_conf()')
    }
    const url = urlOf({ sslmode: 'verify-full', sslrootcert: ours.cert })
    const answer = () =>
      connected(url).then(
        async (servers) => void (await servers.close()),
        (error: Error) => error.message,
      )
    await install(ours.sign('old', 'DNS:localhost', 'no longer'))
    await until(async () => (await answer()) !== undefined, { what: 'the old certificate to be shown' })
    await refused(url, /its certificate has expired; renew it there\.$/)
    await install(ours.sign('new', 'DNS:localhost'))
    await until(async () => (await answer()) === undefined, { what: 'the new certificate to be shown' })
  })

  it('a server without TLS is named as such', async () => {
    const plain = await startPostgres()
    try {
      const { port, password } = plain.connection
      const url = `postgres://beatlock:${password}@localhost:${port}/postgres?sslmode=require`
      await refused(url, /it has no TLS; turn it on there \(ssl = on\), or write sslmode=disable\.$/)
    } finally {
      await plain.remove()
    }
  })
})
