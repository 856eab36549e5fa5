import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from '../support/project-root.js'

describe('README: guarding code without a task', () => {
  it('the code runs as it stands, and says what its comments say', () => {
    const readme = readFileSync(join(projectRoot(), 'README.md'), 'utf8')
    const section = readme.slice(readme.indexOf('## Guarding code without a task'))
    const code = /```js\n([\s\S]*?)```/.exec(section)?.[1] ?? ''
    const index = new URL('../../src/index.js', import.meta.url).href
    const program = code.replace("'beatlock'", `'${index}'`)
    assert.notEqual(program, code)
    const env = { ...process.env, BEATLOCK_BROKER: 'memory:' }
    const options = { env, encoding: 'utf8', timeout: 15_000 } as const
    const run = spawnSync(process.execPath, ['--input-type=module', '--eval', program], options)
    assert.equal(run.status, 0, run.stderr)
    assert.match(run.stdout, /^report of 2026-01-01, token \d+\n\d{4,5}\n$/)
  })
})
