import assert from 'node:assert/strict'
import { postgresQueue } from '../../adapters/bullmq/names.js'

describe('BullMQ queue names on Postgres', () => {
  it('two apps never share a queue, whatever dots their names have', () => {
    assert.equal(postgresQueue('shop', 'reports.daily'), 'shop.reports.daily')
    const apps = ['a', 'a.', 'a..', 'a.b', 'a..b', 'a.b.', 'a.b.c']
    const queues = ['b', 'c', 'b.c', 'b..c', 'b.', 'c.d']
    const names = apps.flatMap((app) => queues.map((queue) => postgresQueue(app, queue)))
    assert.equal(new Set(names).size, names.length)
  })
})
