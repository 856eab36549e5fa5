import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmod, chown, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unprivilegedAccount } from '../../adapters/embedded/account.js'
import { type NativePackage, prepareTree } from '../../adapters/embedded/native-tree.js'

const root = process.getuid?.() === 0

describe("Postgres' programs", () => {
  let home: string
  let copies: string
  let found: NativePackage

  // A package as npm leaves it without its postinstall: programs, libraries, and no links.
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'beatlock-tree-'))
    copies = join(home, 'copies')
    found = { native: join(home, 'package', 'native'), version: '18.4.0' }
    for (const folder of ['bin', 'lib', 'share']) await mkdir(join(found.native, folder), { recursive: true })
    await mkdir(copies)
    for (const name of ['postgres', 'initdb']) {
      await writeFile(join(found.native, 'bin', name), '#!/bin/sh\ncat "$(dirname "$0")/../lib/libx.so.1"\n', {
        mode: 0o755,
      })
    }
    await writeFile(join(found.native, 'lib', 'libx.so.1.2'), 'the library')
    const links = [{ source: 'native/lib/libx.so.1.2', target: 'native/lib/libx.so.1' }]
    await writeFile(join(found.native, 'pg-symlinks.json'), JSON.stringify(links))
  })
  afterEach(() => rm(home, { recursive: true, force: true }))

  it('get the links that the package did not make, also by several processes at once, and again', async () => {
    const all = await Promise.all([1, 2, 3].map(() => prepareTree(found, undefined, copies)))
    all.push(await prepareTree(found, undefined, copies))
    for (const programs of all) assert.equal(programs.postgres, join(found.native, 'bin', 'postgres'))
    assert.equal(await readFile(join(found.native, 'lib', 'libx.so.1'), 'utf8'), 'the library')
    assert.equal(all[0]?.major, '18')
    assert.deepEqual(await readdir(copies), [])
  })

  it('are copied once, complete and runnable, where they cannot be run in place', async () => {
    await chmod(join(found.native, 'bin', 'postgres'), 0o600)
    const all = await Promise.all([1, 2, 3].map(() => prepareTree(found, undefined, copies)))
    assert.deepEqual(await readdir(copies), ['native-18.4.0'])
    assert.equal(execFileSync(all[0]?.postgres ?? '', { encoding: 'utf8' }), 'the library')
  })

  ;(root ? it : it.skip)('are copied for an account that cannot come to them', async () => {
    const account = await unprivilegedAccount()
    await chmod(home, 0o755)
    await chmod(join(home, 'package'), 0o700)
    await chown(copies, account.uid, account.gid)
    const { initdb } = await prepareTree(found, account, copies)
    assert.ok(initdb.startsWith(copies), initdb)
    assert.equal(execFileSync(initdb, { ...account, cwd: '/', encoding: 'utf8' }), 'the library')
  })

  it('of another version get a copy of their own', async () => {
    const other: NativePackage = { native: join(home, 'other', 'native'), version: '18.5.0' }
    await cp(found.native, other.native, { recursive: true })
    for (const { native } of [found, other]) await chmod(join(native, 'bin', 'initdb'), 0o600)
    await prepareTree(found, undefined, copies)
    await prepareTree(other, undefined, copies)
    assert.deepEqual(await readdir(copies), ['native-18.4.0', 'native-18.5.0'])
  })
})
