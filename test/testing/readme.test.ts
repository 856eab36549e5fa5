import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from '../support/project-root.js'

describe('README: testing your tasks and timetable', () => {
  it('the code runs as it stands, and says what is right', () => {
    const readme = readFileSync(join(projectRoot(), 'README.md'), 'utf8')
    const section = readme.slice(readme.indexOf('## Testing your tasks and timetable'))
    const code = /```js\n([\s\S]*?)```/.exec(section)?.[1] ?? ''
    const here = (path: string) => `'${new URL(path, import.meta.url).href}'`
    const program = code
      .replace("'beatlock'", here('../../src/index.js'))
      .replace("'beatlock/testing'", here('../contract/index.js'))
    const options = { encoding: 'utf8', timeout: 15_000 } as const
    const run = spawnSync(process.execPath, ['--input-type=module', '--eval', program], options)
    assert.equal(run.status, 0, run.stderr)
    assert.equal(run.stdout, 'ran 42\n365 missed 2, published 1\n')
  })
})
