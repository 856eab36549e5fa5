import { spawnSync } from 'node:child_process'
import { chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Files of one certificate and its key, PEM. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

/** An authority of the test's own, in a temp folder. */
export interface Authority extends Certificate {
  /** Signs a certificate for these names, as in `DNS:localhost`; valid for a day, or until yesterday. */
  sign(commonName: string, names: string, valid?: 'a day' | 'no longer'): Certificate
  /** Gives the files to whom a server runs as, which asks for that. */
  giveTo(account: { readonly uid: number; readonly gid: number } | undefined): void
  remove(): void
}

/** @throws Error where there is no openssl on PATH. */
export function makeAuthority(name: string): Authority {
  const folder = mkdtempSync(join(tmpdir(), 'beatlock-test-ca-'))
  const files: string[] = []
  const pair = (of: string): Certificate => {
    const made = { cert: join(folder, `${of}.pem`), key: join(folder, `${of}.key`) }
    files.push(made.cert, made.key)
    return made
  }
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const own = pair('ca')
  openssl(['req', '-x509', ...newKey, '-days', '2', '-subj', `/CN=${name}`, '-keyout', own.key, '-out', own.cert])
  return {
    ...own,
    sign(commonName, names, valid = 'a day') {
      const made = pair(`${commonName}-${files.length}`)
      const [request, extensions] = [`${made.cert}.csr`, `${made.cert}.ext`]
      writeFileSync(extensions, `subjectAltName=${names}\n`)
      openssl(['req', ...newKey, '-subj', `/CN=${commonName}`, '-keyout', made.key, '-out', request])
      const signer = ['-CA', own.cert, '-CAkey', own.key, '-CAcreateserial', '-extfile', extensions]
      const days = valid === 'a day' ? '1' : '-1'
      openssl(['x509', '-req', '-in', request, ...signer, '-days', days, '-out', made.cert])
      return made
    },
    giveTo(account) {
      if (account) for (const path of [folder, ...files]) chownSync(path, account.uid, account.gid)
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

function openssl(args: readonly string[]): void {
  const { error, status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' })
  if (error) throw new Error('openssl is not on PATH: apt-get install openssl', { cause: error })
  if (status !== 0) throw new Error(`openssl ${args.join(' ')}: ${stderr}`)
}

export function textOf(file: string): string {
  return readFileSync(file, 'utf8')
}
