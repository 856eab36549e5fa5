import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { projectRoot } from './support/project-root.js'

/** What each room may import from, besides itself and node: (packages are each room's own choice). */
const MAY: Record<string, readonly string[]> = {
  'src/lock': [],
  'src/task-base': ['src/lock', 'src/connect.ts'],
  'src/worker': ['src/task-base', 'src/lock'],
  'src/beat': ['src/task-base', 'src/lock'],
  'src/cli': ['src/worker', 'src/beat', 'src/task-base', 'src/lock', 'src/connect.ts'],
  'src/connect.ts': ['src/lock', 'src/task-base', 'src/beat'],
  'src/index.ts': ['src/lock', 'src/task-base', 'src/beat'],
  'adapters/memory': ['src/lock', 'src/task-base', 'src/beat'],
  'adapters/file': ['src/lock', 'src/task-base', 'src/beat'],
  'adapters/redis': ['src/lock', 'src/task-base', 'src/beat'],
  'adapters/postgres': ['src/lock', 'src/task-base', 'src/beat'],
  'adapters/redlock': ['src/lock'],
  'adapters/bullmq': ['src/lock', 'src/task-base', 'src/beat'],
  'adapters/embedded': ['src/lock', 'src/task-base', 'src/beat', 'adapters/postgres'],
}

const root = projectRoot()
const files = ['src', 'adapters'].flatMap((folder) => sources(join(root, folder)))
const graph = new Map(files.map((file) => [file, staticImports(file)]))

describe('rooms and arrows', () => {
  it('every import goes along an arrow of the table', () => {
    const wrong: string[] = []
    for (const [file, imports] of graph) {
      const from = roomOf(file)
      assert.ok(MAY[from], `${file} is in no room`)
      for (const each of imports) {
        const to = roomOf(each)
        if (to !== from && !MAY[from]?.includes(to)) wrong.push(`${file} → ${each}`)
      }
    }
    assert.deepEqual(wrong, [])
  })

  it('no file of src but the composition file names an adapter, not even lazily', () => {
    const wrong = files.filter(
      (file) => file.startsWith('src/') && file !== 'src/connect.ts' && /['"`][./]*adapters\//.test(read(file)),
    )
    assert.deepEqual(wrong, [])
  })

  it('no file imports itself in a circle', () => {
    const done = new Set<string>()
    const walk = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) assert.fail(`a cycle: ${[...path.slice(path.indexOf(file)), file].join(' → ')}`)
      if (done.has(file)) return
      for (const next of graph.get(file) ?? []) walk(next, [...path, file])
      done.add(file)
    }
    for (const file of graph.keys()) walk(file, [])
  })

  it('the lock knows no package but node:', () => {
    const wrong = files
      .filter((file) => file.startsWith('src/lock/'))
      .filter((file) => specifiers(read(file)).some((name) => !name.startsWith('.') && !name.startsWith('node:')))
    assert.deepEqual(wrong, [])
  })

  it('what users write fenced with imports no client: theirs is handed to it', () => {
    for (const entry of ['adapters/postgres/fencing.ts', 'adapters/redis/fencing.ts']) {
      const reached = new Set<string>()
      const walk = (file: string): void => {
        if (reached.has(file)) return
        reached.add(file)
        for (const next of graph.get(file) ?? []) walk(next)
      }
      walk(entry)
      assert.ok(reached.size > 3)
      const packages = [...reached]
        .flatMap((file) => specifiers(read(file)))
        .filter((name) => !/^(\.|node:)/.test(name))
      assert.deepEqual(packages, [], entry)
    }
  })
})

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => relative(root, join(folder, name)).split(sep).join('/'))
}

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8')
}

/** What `import … from` and `export … from` name; types count, `import()` does not. */
function specifiers(text: string): string[] {
  return [...text.matchAll(/^(?:import|export)\s[^'"`;]*?from\s+['"]([^'"]+)['"]/gm)].map((match) => match[1] as string)
}

function staticImports(file: string): string[] {
  return specifiers(read(file))
    .filter((name) => name.startsWith('.'))
    .map((name) =>
      relative(root, resolve(join(root, dirname(file)), name.replace(/\.js$/, '.ts')))
        .split(sep)
        .join('/'),
    )
}

function roomOf(file: string): string {
  const [first, second] = file.split('/')
  return `${first}/${second}`
}
