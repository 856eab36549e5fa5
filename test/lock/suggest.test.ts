import assert from 'node:assert/strict'
import { suggest } from '../../src/lock/suggest.js'

describe('a guess at a mistyped name', () => {
  it('names the closest known word', () => {
    assert.equal(suggest('timout', ['timeout', 'overlap']), '; did you mean "timeout"?')
    assert.equal(suggest('overlpa', ['timeout', 'overlap']), '; did you mean "overlap"?')
    assert.equal(suggest('Europe/Berln', ['Europe/Dublin', 'Europe/Berlin']), '; did you mean "Europe/Berlin"?')
    assert.equal(suggest('SKIP', ['skip']), '; did you mean "skip"?')
  })

  it('is silent when nothing is close', () => {
    assert.equal(suggest('xyz', ['timeout', 'overlap']), '')
    assert.equal(suggest('anything', []), '')
  })
})
