import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Paths of PEM files, made for one suite: an authority, what it signed, and another authority that signed nothing here. */
export interface TlsFiles {
  readonly ca: string
  readonly otherCa: string
  readonly server: { readonly cert: string; readonly key: string }
  readonly client: { readonly cert: string; readonly key: string }
  read(path: string): string
  remove(): void
}

/** The server's certificate is for `localhost` and 127.0.0.1. Needs openssl on PATH. */
export function makeTlsFiles(): TlsFiles {
  const folder = mkdtempSync(join(tmpdir(), 'beatlock-test-tls-'))
  const at = (name: string): string => join(folder, name)
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'pipe' })
  const key = (name: string): string => {
    openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', at(name))
    return at(name)
  }
  const authority = (name: string): string => {
    const own = key(`${name}.key`)
    openssl('req', '-x509', '-new', '-key', own, '-days', '2', '-subj', `/CN=${name}`, '-out', at(`${name}.pem`))
    return at(`${name}.pem`)
  }
  const signed = (name: string, extension: string): { cert: string; key: string } => {
    const own = key(`${name}.key`)
    writeFileSync(at(`${name}.ext`), extension)
    openssl('req', '-new', '-key', own, '-subj', `/CN=${name}`, '-out', at(`${name}.csr`))
    const by = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2']
    openssl('x509', '-req', '-in', at(`${name}.csr`), ...by, '-extfile', at(`${name}.ext`), '-out', at(`${name}.pem`))
    return { cert: at(`${name}.pem`), key: own }
  }
  return {
    ca: authority('ca'),
    otherCa: authority('other'),
    server: signed('server', 'subjectAltName=DNS:localhost,IP:127.0.0.1'),
    client: signed('client', 'extendedKeyUsage=clientAuth'),
    read: (path) => readFileSync(path, 'utf8'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
