import assert from 'node:assert/strict'
import { jobId, postgresQueue } from '../../adapters/bullmq/names.js'

describe('BullMQ queue names on Postgres', () => {
  it('two apps never share a queue, whatever dots their names have', () => {
    assert.equal(postgresQueue('shop', 'reports.daily'), 'shop.reports.daily')
    const apps = ['a', 'a.', 'a..', 'a.b', 'a..b', 'a.b.', 'a.b.c']
    const queues = ['b', 'c', 'b.c', 'b..c', 'b.', 'c.d']
    const names = apps.flatMap((app) => queues.map((queue) => postgresQueue(app, queue)))
    assert.equal(new Set(names).size, names.length)
  })
})

describe('BullMQ job ids', () => {
  it('no two messages or rounds share one, and none is of digits only or has a colon', () => {
    const messages = ['1', '7', 'r1-7', 'm-7', 'b-7', 'r1-b-7', '1-7', 'r1', '7.r1']
    const ids = messages.flatMap((id) => [0, 1, 11].map((round) => jobId(id, round)))
    assert.equal(new Set(ids).size, ids.length)
    for (const id of ids) assert.match(id, /^[a-z][^:]*$/)
  })
})
