import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { LONGEST_NAME, makeProcessFolder } from '../../src/lock/process-folder.js'

const MODULE = new URL('../../src/lock/process-folder.js', import.meta.url).href
const MAKER = `
  const { makeProcessFolder } = await import(${JSON.stringify(MODULE)})
  process.stdout.write(makeProcessFolder('feed', process.argv[1]).path)
  setInterval(() => {}, 1000)`

/** Elsewhere a process has no start time or namespace to be read. */
const onLinux: typeof it | (() => void) = process.platform === 'linux' ? it : () => {}

describe('the folder of a process', () => {
  let root: string

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'folders-'))
  })
  afterEach(() => rmSync(root, { recursive: true, force: true }))

  async function madeElsewhere(): Promise<{ path: string; kill(): Promise<void> }> {
    const args = ['--input-type=module', '-e', MAKER, root]
    const maker = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    const [chunk] = (await once(maker.stdout, 'data')) as [Buffer]
    const kill = async () => {
      maker.kill('SIGKILL')
      await once(maker, 'exit')
    }
    return { path: String(chunk), kill }
  }

  it('[P23] that a SIGKILL left behind is removed by the next process, and no living one’s', async () => {
    const [dead, living] = [await madeElsewhere(), await madeElsewhere()]
    try {
      writeFileSync(join(dead.path, 'left'), 'x')
      await dead.kill()
      const own = [makeProcessFolder('feed', root), makeProcessFolder('body', root)]
      const left = [living.path, ...own.map(({ path }) => path)].map((path) => basename(path))
      assert.deepEqual(readdirSync(root).sort(), left.sort())
      for (const folder of own) folder.remove()
      assert.deepEqual(readdirSync(root), [basename(living.path)])
    } finally {
      await living.kill()
    }
  })

  it('is its own alone, and its name is as long as it may get at most', () => {
    const { path } = makeProcessFolder('feed', root)
    assert.equal(statSync(path).mode & 0o777, 0o700)
    assert.ok(basename(path).length <= LONGEST_NAME.length)
  })

  onLinux('is told from that of an earlier process with the same pid', () => {
    const { path } = makeProcessFolder('body', root)
    const [head, start = '', rest] = basename(path).split('.')
    const earlier = join(root, [head, (Number.parseInt(start, 36) - 1).toString(36), rest].join('.'))
    mkdirSync(earlier)
    makeProcessFolder('body', root)
    assert.deepEqual([existsSync(path), existsSync(earlier)], [true, false])
  })

  it('leaves what is not its own: other names, other namespaces, links', async () => {
    const maker = await madeElsewhere()
    await maker.kill()
    const name = basename(maker.path)
    const elsewhere = mkdtempSync(join(tmpdir(), 'folders-'))
    try {
      rmSync(maker.path, { recursive: true })
      symlinkSync(elsewhere, maker.path)
      const foreign = ['beatlock-feed-notes', 'beatlock-feed-abc123', name.replace(/\.[0-9a-z]+-/, '.1-')]
      for (const each of foreign) mkdirSync(join(root, each), { recursive: true })
      const { remove } = makeProcessFolder('feed', root)
      remove()
      assert.deepEqual(readdirSync(root).sort(), [name, ...foreign].sort())
    } finally {
      rmSync(elsewhere, { recursive: true })
    }
  })

  onLinux('leaves that of another machine, whose namespaces have the same numbers', async () => {
    const maker = await madeElsewhere()
    await maker.kill()
    const namespace = Number(/\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0])
    const foreign = join(root, basename(maker.path).replace(/\.[0-9a-z]+-/, `.${namespace.toString(36)}-`))
    mkdirSync(foreign, { recursive: true })
    makeProcessFolder('feed', root)
    assert.ok(existsSync(foreign))
  })
})
