import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parsePostgresUrl, placeOf } from '../../adapters/postgres/index.js'
import { UsageError } from '../../src/lock/error.js'
import { type Authority, type Certificate, makeAuthority, textOf } from '../support/certificate.js'

const VARIABLES = ['PGSSLMODE', 'PGSSLROOTCERT', 'PGSSLCERT', 'PGSSLKEY'] as const

describe("a Postgres URL's TLS parameters", () => {
  let authority: Authority
  let own: Certificate
  let other: Certificate
  const before_ = VARIABLES.map((name) => process.env[name])
  before(() => {
    authority = makeAuthority('ours')
    own = authority.sign('own', 'DNS:own')
    other = authority.sign('other', 'DNS:other')
  })
  beforeEach(() => setVariables([]))
  after(() => {
    setVariables(before_)
    authority.remove()
  })

  function setVariables(values: readonly (string | undefined)[]): void {
    for (const [at, name] of VARIABLES.entries()) {
      const value = values[at]
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }

  const tlsOf = (query: Record<string, string>, host = 'db') =>
    parsePostgresUrl(`postgres://ann:secret@${host}/shop?${new URLSearchParams(query)}`).connection.tls
  const refused = (query: Record<string, string>, sentence: RegExp): void =>
    assert.throws(
      () => tlsOf(query),
      (error: unknown) => error instanceof UsageError && sentence.test(error.message) && !/secret/.test(error.message),
      JSON.stringify(query),
    )

  it('say whose certificate is accepted, as libpq has it', () => {
    assert.equal(tlsOf({}), undefined)
    assert.equal(tlsOf({ sslmode: 'disable', sslrootcert: 'not read' }), undefined)
    assert.deepEqual(tlsOf({ sslmode: 'require' }), { accepts: 'anybody' })
    const ca = textOf(authority.cert)
    const named = { sslrootcert: authority.cert }
    assert.deepEqual(tlsOf({ sslmode: 'require', ...named }), { accepts: 'signed', ca })
    assert.deepEqual(tlsOf({ sslmode: 'verify-ca', ...named }), { accepts: 'signed', ca })
    assert.deepEqual(tlsOf({ sslmode: 'verify-full', ...named }), { accepts: 'host', ca })
    assert.deepEqual(tlsOf({ sslmode: 'verify-full', sslrootcert: 'system' }), { accepts: 'host' })
  })

  it('are read into text, so that threads and children connect with what was checked', () => {
    const tls = tlsOf({ sslmode: 'verify-full', sslcert: own.cert, sslkey: own.key })
    assert.deepEqual(tls, { accepts: 'host', cert: textOf(own.cert), key: textOf(own.key) })
    assert.deepEqual(structuredClone(tls), tls)
  })

  it('are filled from the environment as in libpq, but not for a Unix socket', () => {
    setVariables(['verify-full', authority.cert])
    assert.deepEqual(tlsOf({}), { accepts: 'host', ca: textOf(authority.cert) })
    assert.equal(tlsOf({ sslmode: 'disable' }), undefined)
    assert.equal(tlsOf({ host: '/run/pg' }), undefined)
    const socket = { host: '/run/pg', port: 5432, database: 'shop' }
    assert.equal(placeOf(socket).ssl, false, 'what pg would else read in a sense of its own')
  })

  it('are refused where plain text or a stranger might be taken for granted', () => {
    const modes = /Expected sslmode to be one of disable, require, verify-ca, verify-full, got/
    for (const sslmode of ['prefer', 'allow', 'verify_full', '']) refused({ sslmode }, modes)
    refused({ sslmode: 'prefer' }, /'prefer', which would go on in plain text where TLS fails\.$/)
    refused({ sslrootcert: authority.cert }, /sslrootcert says nothing without a mode: add sslmode=verify-full/)
    refused({ sslmode: 'verify-ca', sslrootcert: 'system' }, /system goes with sslmode=verify-full only/)
  })

  it('are refused by name and path where a file is missing, is something else, or does not fit', () => {
    const sslmode = 'verify-full'
    refused(
      { sslmode, sslrootcert: '/nowhere/ca.pem' },
      /sslrootcert names \/nowhere\/ca\.pem, which cannot be read \(ENOENT\)/,
    )
    refused({ sslmode, sslrootcert: authority.key }, /sslrootcert names .*ca\.key, which holds no PEM CERTIFICATE/)
    refused({ sslmode, sslcert: own.cert }, /sslcert and sslkey belong together/)
    refused({ sslmode, sslcert: own.cert, sslkey: own.cert }, /sslkey names .*, which holds no PEM PRIVATE KEY/)
    const unfit = { sslmode, sslcert: own.cert, sslkey: other.key }
    refused(unfit, /certificates and key in .*own.*, .*other.* cannot be used: .*mismatch/)
    const broken = join(authority.cert, '..', 'broken.pem')
    writeFileSync(broken, '-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n')
    refused({ sslmode, sslcert: broken, sslkey: own.key }, /certificates and key in .*broken\.pem, .* cannot be used: /)
  })
})
