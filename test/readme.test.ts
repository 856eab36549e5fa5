import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ERROR_CODES, isErrorCode } from '../src/lock/error-code.js'
import { projectRoot } from './support/project-root.js'

const root = projectRoot()
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const [tests, src, adapters] = ['test', 'src', 'adapters'].map(sourcesOf) as [string, string, string]

describe('README', () => {
  it('promises only what a test names by its number', () => {
    const numbers = [...readme.matchAll(/^\| (\d+) \| /gm)].map((match) => match[1])
    assert.ok(numbers.length > 10)
    for (const number of numbers) assert.ok(tests.includes(`[P${number}]`), `no test names promise ${number}`)
  })

  it('names every error code, and no other', () => {
    const section = readme.slice(readme.indexOf('## Errors and events'), readme.indexOf('## Writing a store'))
    const named = [...section.matchAll(/`([A-Z]+(?:_[A-Z]+)*)`/g)].map((match) => match[1])
    assert.deepEqual([...new Set(named)].sort(), [...ERROR_CODES].sort())
  })

  it('knows by its codes every code of an outcome, and no code that nothing gives', () => {
    const given = [...`${src}${adapters}`.matchAll(/\bcode(?::| =) '([A-Z_]+)'/g)].map((match) => match[1])
    assert.ok(given.length > 10)
    for (const code of given) assert.ok(isErrorCode(code), `${code} is not in src/lock/error-code.ts`)
    for (const code of ERROR_CODES) assert.ok(src.split(`'${code}'`).length > 2, `nothing gives ${code}`)
  })

  it('names every event of an app, and no other', () => {
    const source = readFileSync(join(root, 'src/task-base/event.ts'), 'utf8')
    const events = [
      ...source.matchAll(/readonly '?([a-zA-Z]+(?::[a-zA-Z]+)?)'?: (?:EventSubject|\{ readonly (?:key|where))/g),
    ].map((match) => match[1])
    assert.ok(events.length >= 14)
    for (const event of events) assert.ok(readme.includes(`\`${event}\``), `the README does not name ${event}`)
  })
})

/** All sources of a room as one text. */
function sourcesOf(room: string): string {
  return readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(join(root, room, name), 'utf8'))
    .join('\n')
}
