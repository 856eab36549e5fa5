import assert from 'node:assert/strict'
import { maskUrl } from '../src/connect.js'

describe('maskUrl', () => {
  it('shows scheme, host and path only, whatever characters the password has and however the URL is misspelt', () => {
    const shown = {
      'redis://127.0.0.1:6379/0': 'redis://127.0.0.1:6379/0',
      'postgres://ann:secret@db:5432/shop?schema=locks': 'postgres://db:5432/shop',
      'postgres://ann:se/cret@db/shop': 'postgres://db/shop',
      'postgres://ann:se@cr?et#@db/shop': 'postgres://db/shop',
      'reids://:se/cret@cache:6379': 'reids://cache:6379',
      'redis:ann:secret@cache': 'redis:cache',
    }
    for (const [url, masked] of Object.entries(shown)) assert.equal(maskUrl(url), masked)
  })
})
