import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { UsageError } from '../../src/index.js'
import { loadApp } from '../../src/task-base/load-app.js'

const BEATLOCK = new URL('../../src/index.js', import.meta.url).href
const strips = Boolean((process.features as { typescript?: unknown }).typescript)

describe("loading an app's modules", () => {
  let folder: string
  // For each test its own: a module is loaded once a process.
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'beatlock-load-'))
    put('package.json', '{ "type": "module" }')
    for (const name of ['a.js', 'b.mjs', 'b.txt', '.hidden.js', 'types.d.ts', 'deep/c.js', 'deep/node_modules/d.js'])
      put(join('tasks', name), name.endsWith('js') ? taskIn(name) : '')
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const GLOBS: readonly [pattern: string, tasks: readonly string[]][] = [
    ['./tasks/*.js', ['a.js']],
    ['./tasks/**/*.js', ['a.js', 'deep-c.js']],
    ['./tasks/?.{js,mjs}', ['a.js', 'b.mjs']],
    ['./t*/deep/[c].js', []],
    ['./*/{deep/c,a}.js', ['a.js', 'deep-c.js']],
    ['./tasks/.hidden.js', ['hidden.js']],
  ]
  for (const [pattern, tasks] of GLOBS) {
    it(`${pattern} names ${tasks.length === 0 ? 'no file, which is told' : tasks.join(', ')}`, async () => {
      const loading = load([pattern])
      if (tasks.length > 0) return assert.deepEqual(await loading, tasks)
      await assert.rejects(loading, says(/imports '\.\/t\*\/deep\/\[c\]\.js' match no file in \S+[^/]\.$/))
    })
  }

  it('** follows no links, which may run in a circle', async () => {
    for (const name of ['one', 'two']) symlinkSync(folder, join(folder, 'tasks', name))
    assert.deepEqual(await load(['./tasks/**/c.js']), ['deep-c.js'])
    for (const name of ['one', 'two']) rmSync(join(folder, 'tasks', name))
  })

  it('loads a module once that two patterns name, and this app’s own not again', async () => {
    assert.deepEqual(await load(['./tasks/a.js', './tasks/a*.js', './app*.js']), ['a.js'])
  })

  it('tells of a module that is not there', async () => {
    const sentence = /imports '\.\/tasks\/z\.js' does not exist; .* \(looked at \/.*z\.js\)/
    await assert.rejects(load(['./tasks/z.js']), says(sentence))
  })

  it('tells of a folder', async () => {
    await assert.rejects(load(['./tasks']), says(/imports '\.\/tasks' is a folder; write a pattern such as/))
  })

  it('reads TypeScript where Node strips types, and says elsewhere what to do', async () => {
    put('typed.ts', taskIn('typed', ': string'))
    if (strips) return assert.deepEqual(await load(['./typed.ts']), ['typed'])
    const cure = /typed\.ts is TypeScript, which Node \S+ cannot read by itself: run Node ≥ 22\.18, .* install tsx/
    await assert.rejects(load(['./typed.ts']), says(cure))
  })

  it('says the same where a module in JavaScript imports one in TypeScript', async () => {
    put('inner.ts', 'export const inner: number = 1')
    put('outer.js', "import './inner.ts'")
    if (strips) return assert.deepEqual(await load(['./outer.js']), [])
    await assert.rejects(load(['./outer.js']), says(/Node cannot read inner\.ts by itself; run Node ≥ 22\.18/))
  })

  function put(name: string, text: string): void {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }

  /** The names of the tasks that its imports brought. */
  async function load(imports: readonly string[]): Promise<string[]> {
    const module = join(folder, 'app.js')
    const code = `export const app = (globalThis.loaded = new App('a', ${JSON.stringify({ imports, broker: 'memory:' })}))`
    writeFileSync(module, `import { App } from '${BEATLOCK}'\n${code}`)
    return [...(await loadApp({ module })).tasks.keys()].sort()
  }

  function says(sentence: RegExp) {
    return (error: Error) => error instanceof UsageError && sentence.test(error.message)
  }
})

function taskIn(name: string, type = ''): string {
  return `const name${type} = '${name.replace('/', '-').replace(/^\./, '')}'\nglobalThis.loaded.task(name, {}, () => name)`
}
