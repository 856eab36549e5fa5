import { defineScript } from '../script.js'
import { RECORD } from './record.js'

/** One trip, with the batch of renewals: a sign of life. Rows not seen for a day are forgotten. */
export const SIGN_OF_LIFE = defineScript('sign_of_life_v1', [
  RECORD,
  `
local rows, seen = base .. 'workers', base .. 'seen'
if redis.call('HSET', rows, ARGV[3], ARGV[4]) == 1 then notify('workers') end
redis.call('ZADD', seen, text(now), ARGV[3])
redis.call('SADD', apps, app)
for _, name in ipairs(redis.call('ZRANGEBYSCORE', seen, '-inf', '(' .. text(now - 86400000))) do
  redis.call('HDEL', rows, name)
  redis.call('ZREM', seen, name)
end
return now
`,
])

/** One trip, reads only: the rows as they were written and the instants they were last seen. */
export const WORKERS = defineScript('workers_v1', [
  RECORD,
  `
local found = {}
local names = redis.call('ZRANGEBYSCORE', base .. 'seen', text(now - 86400000), '+inf', 'WITHSCORES')
for i = 1, #names, 2 do
  local row = redis.call('HGET', base .. 'workers', names[i])
  if row then found[#found + 1] = { row, tonumber(names[i + 1]) } end
end
return found
`,
])

/** One trip, reads only: when each was last seen. */
export const ATTENDANCE = defineScript('attendance_v1', [
  RECORD,
  `
return { now, redis.call('ZRANGEBYSCORE', base .. 'seen', text(now - 86400000), '+inf', 'WITHSCORES') }
`,
])

/** One trip: takes a worker off the list. */
export const LEAVE = defineScript('leave_v1', [
  RECORD,
  `
if redis.call('HDEL', base .. 'workers', ARGV[3]) == 1 then notify('workers') end
redis.call('ZREM', base .. 'seen', ARGV[3])
return now
`,
])
