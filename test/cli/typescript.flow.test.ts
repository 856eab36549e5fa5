import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { type Command, runCommand, startCommand } from './command.js'

const BEATLOCK = new URL('../../src/index.js', import.meta.url).href

const FILES: Readonly<Record<string, string>> = {
  'package.json': '{ "type": "module" }',
  'app.ts': `import { App } from '${BEATLOCK}'
export const app = new App('shop', { imports: ['./tasks/**/*.ts'] })
app.task('twice', {}, (n: number): number => n * 2)
`,
  'tasks/deep/child.ts': `import { app } from '../../app.js'
app.task('where', {}, (): string => (process.send ? 'in a child' : 'in the parent'))
`,
  // tsx itself is no dependency of this project. What it promises to \`node --import tsx\`, for these files: its entry
  // sets hooks, which read types and find a .ts file by the name of what is compiled from it.
  'node_modules/tsx/package.json': '{ "type": "module", "exports": { ".": "./entry.js" } }',
  'node_modules/tsx/entry.js': `import { register } from 'node:module'
register('./hooks.js', import.meta.url)
`,
  'node_modules/tsx/hooks.js': `import { readFileSync } from 'node:fs'
export async function resolve(name, context, next) {
  return context.parentURL?.endsWith('.ts') ? next(name.replace(/^(\\\\..*)\\\\.js$/, '$1.ts'), context) : next(name, context)
}
export async function load(url, context, next) {
  if (!url.endsWith('.ts')) return next(url, context)
  const source = readFileSync(new URL(url), 'utf8').replaceAll(/: (number|string)/g, '')
  return { format: 'module', source, shortCircuit: true }
}
`,
}

describe('an app in TypeScript', function () {
  this.timeout(120_000)
  let server: RedisServer
  let folder: string
  let worker: Command

  before(async () => {
    server = await startRedis()
    folder = mkdtempSync(join(tmpdir(), 'beatlock-typed-'))
    for (const [name, text] of Object.entries(FILES)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), text.replaceAll('\\\\', '\\'))
    }
  })
  after(async () => {
    worker?.child.kill('SIGKILL')
    await worker?.ended
    await server?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  it('is read by the tsx of its project, with its imports, in parent and children alike; tasks are called by name', async () => {
    worker = startCommand(['-A', join(folder, 'app.ts'), '--broker', server.url, 'worker', '-c', '1'])
    await worker.saw('tasks twice, where')
    const call = (...args: string[]) => runCommand(['--app', 'shop', '--broker', server.url, 'call', ...args, '--wait'])
    assert.match((await call('twice', '--args', '[4]')).stdout, /\n8\n$/)
    assert.match((await call('where')).stdout, /\n"in a child"\n$/)
  })
})
