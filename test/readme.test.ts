import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from './support/project-root.js'

const root = projectRoot()
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const tests = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(join(root, 'test', name), 'utf8'))
  .join('\n')

describe('README', () => {
  it('promises only what a test names by its number', () => {
    const numbers = [...readme.matchAll(/^\| (\d+) \| /gm)].map((match) => match[1])
    assert.ok(numbers.length > 10)
    for (const number of numbers) assert.ok(tests.includes(`[P${number}]`), `no test names promise ${number}`)
  })

  it('names every error code, and no other', () => {
    const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFileSync(join(root, 'src', name), 'utf8'))
      .join('\n')
    const section = readme.slice(readme.indexOf('## Errors and events'), readme.indexOf('## Writing a store'))
    for (const [, code] of section.matchAll(/`([A-Z]+(?:_[A-Z]+)*)`/g)) {
      assert.ok(sources.includes(`'${code}'`), `no source throws ${code}`)
    }
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
