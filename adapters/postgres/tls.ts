import { readFileSync } from 'node:fs'
import { checkServerIdentity, createSecureContext, type PeerCertificate } from 'node:tls'
import { UsageError } from '../../src/lock/error.js'

/** How a connection is encrypted, as data: survives a structured clone, which what `pg` takes does not. */
export interface PostgresTls {
  /** Whose certificate is accepted: anybody's, any that a known authority signed, or only that of this very host. */
  readonly accepts: 'anybody' | 'signed' | 'host'
  /** Certificates of the authorities, PEM; undefined: those that Node knows. */
  readonly ca?: string
  /** Who we are, PEM. */
  readonly cert?: string
  readonly key?: string
}

/** A Postgres URL's parameters for TLS, named and meant as libpq has them. Paths are relative to the working folder. */
export const TLS_PARAMETERS = ['sslmode', 'sslrootcert', 'sslcert', 'sslkey'] as const
type Parameter = (typeof TLS_PARAMETERS)[number]

const MODES = ['disable', 'require', 'verify-ca', 'verify-full'] as const
type Mode = (typeof MODES)[number]

/** In place of a file: the authorities that Node knows. */
const SYSTEM = 'system'

/**
 * Reads a URL's parameters, and what it leaves out from PGSSLMODE, PGSSLROOTCERT, PGSSLCERT and PGSSLKEY. Undefined: no
 * TLS, which is also meant by no sslmode at all, and by a Unix socket whatever the parameters say.
 *
 * @throws UsageError for a mode, file or pair of files that cannot work
 */
export function readTls(query: URLSearchParams, host: string): PostgresTls | undefined {
  if (host.startsWith('/')) return undefined
  const find = (name: Parameter): string | undefined =>
    query.get(name) ?? (process.env[`PG${name.toUpperCase()}`] || undefined)
  const mode = modeOf(find('sslmode'))
  if (mode === undefined) refuseFilesAlone(query)
  if (mode === undefined || mode === 'disable') return undefined
  const tls = { accepts: acceptsOf(mode, find('sslrootcert')), ...filesOf(find) }
  refuseUnusable(tls, find)
  return tls
}

function modeOf(text: string | undefined): Mode | undefined {
  const mode = MODES.find((each) => each === text)
  if (mode !== undefined || text === undefined) return mode
  const why = text === 'prefer' || text === 'allow' ? ', which would go on in plain text where TLS fails' : ''
  throw new UsageError(`Expected sslmode to be one of ${MODES.join(', ')}, got '${text}'${why}.`)
}

/** Without a mode libpq would try TLS and go on without it: nobody who names an authority wants that. */
function refuseFilesAlone(query: URLSearchParams): void {
  const file = TLS_PARAMETERS.find((name) => query.has(name))
  if (file) throw new UsageError(`${file} says nothing without a mode: add sslmode=verify-full to the URL.`)
}

/** As in libpq, whoever names an authority wants it asked. */
function acceptsOf(mode: Exclude<Mode, 'disable'>, ca: string | undefined): PostgresTls['accepts'] {
  if (mode === 'verify-full') return 'host'
  if (ca !== SYSTEM) return mode === 'require' && ca === undefined ? 'anybody' : 'signed'
  // Anyone can have a certificate of a public authority, for a host of his own.
  throw new UsageError(`sslrootcert=system goes with sslmode=verify-full only, got '${mode}'.`)
}

function filesOf(find: (name: Parameter) => string | undefined): Omit<PostgresTls, 'accepts'> {
  const [ca, cert, key] = [find('sslrootcert'), find('sslcert'), find('sslkey')]
  if ((cert === undefined) !== (key === undefined)) {
    throw new UsageError('sslcert and sslkey belong together: name both, or neither.')
  }
  return {
    ...(ca === undefined || ca === SYSTEM ? {} : { ca: pemOf('sslrootcert', ca) }),
    ...(cert === undefined ? {} : { cert: pemOf('sslcert', cert) }),
    ...(key === undefined ? {} : { key: pemOf('sslkey', key) }),
  }
}

function pemOf(name: Parameter, path: string): string {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new UsageError(`${name} names ${path}, which cannot be read (${(cause as NodeJS.ErrnoException).code}).`, {
      cause,
    })
  }
  const what = name === 'sslkey' ? 'PRIVATE KEY' : 'CERTIFICATE'
  // Node would take a file without one for an empty list, and then trust nobody.
  if (!text.includes(`${what}-----`)) throw new UsageError(`${name} names ${path}, which holds no PEM ${what}.`)
  return text
}

/** Now, in words, and not at each connection. */
function refuseUnusable({ ca, cert, key }: PostgresTls, find: (name: Parameter) => string | undefined): void {
  try {
    createSecureContext({ ca, cert, key })
  } catch (cause) {
    const named = TLS_PARAMETERS.slice(1).flatMap((name) => find(name) ?? [])
    const why = (cause as Error).message.replace(/^error:[^:]*:[^:]*:[^:]*:/, '')
    throw new UsageError(`the certificates and key in ${named.join(', ')} cannot be used: ${why}.`, { cause })
  }
}

/** As `pg` takes it; false, not undefined, since `pg` would then read PGSSLMODE in a sense of its own. */
export function sslOf({ host, tls }: { readonly host: string; readonly tls?: PostgresTls }): false | object {
  if (!tls) return false
  const { accepts, ...files } = tls
  if (accepts === 'anybody') return { ...files, rejectUnauthorized: false }
  const identity = (_: string, certificate: PeerCertificate): Error | undefined =>
    accepts === 'signed' ? undefined : checkServerIdentity(host, certificate)
  return { ...files, rejectUnauthorized: true, checkServerIdentity: identity }
}

const UNKNOWN_AUTHORITY =
  /^(UNABLE_TO_(VERIFY_LEAF|GET_ISSUER)|(DEPTH_ZERO_)?SELF_SIGNED_CERT|CERT_(UNTRUSTED|SIGNATURE))/
/** The server's word on our certificate, as OpenSSL has it. */
const OURS_REFUSED = /^ERR_SSL_.*ALERT_.*(UNKNOWN_CA|CERTIFICATE)|^ERR_SSL_.*CERTIFICATE_REQUIRED/

/** What is wrong with the encryption or the certificates, and the cure; undefined: nothing of that. */
export function tlsTrouble(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  const { message } = error
  if (UNKNOWN_AUTHORITY.test(code)) {
    return `no authority that is known here has signed its certificate (${code}); name the right one by sslrootcert=FILE`
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const names = (error as Error & { cert?: PeerCertificate }).cert?.subjectaltname ?? 'another host'
    return `its certificate is for ${names}; connect by that name, or write sslmode=verify-ca`
  }
  if (code === 'CERT_HAS_EXPIRED') return 'its certificate has expired; renew it there'
  if (code === 'CERT_NOT_YET_VALID') return 'its certificate is not valid yet; set the clocks right, here and there'
  if (OURS_REFUSED.test(code) || (code === '28000' && /certificate/i.test(message))) {
    return 'it asks for a certificate of ours that it knows; name one by sslcert=FILE and sslkey=FILE'
  }
  if (/does not support SSL/.test(message))
    return 'it has no TLS; turn it on there (ssl = on), or write sslmode=disable'
  if (code === '28000' && /no (encryption|pg_hba\.conf entry.*SSL off)/i.test(message)) {
    return 'it does not take this login in plain text; write sslmode=verify-full'
  }
  return undefined
}
