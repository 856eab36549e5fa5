import { defineScript } from '../script.js'
import { RECORD } from './record.js'

/** One trip on all shards: makes sure that each has an epoch, of a server that is taken for a new one; answers its name. */
export const BEGIN = defineScript('begin_v1', [
  RECORD,
  `
local info = redis.pcall('INFO', 'replication')
local history = type(info) == 'string' and string.match(info, 'master_replid:(%w+)') or ''
redis.call('SET', base .. 'epoch', text(micros) .. ':' .. history .. ':0:0', 'NX')
return string.match(redis.call('GET', base .. 'epoch'), '^%d+')
`,
])
