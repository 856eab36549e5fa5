import { defineScript } from '../script.js'
import { ONCE } from './once.js'
import { RECORD } from './record.js'

/** One trip: adds to an app's totals (task, name and number each), once a request. */
export const COUNT = defineScript('count_v1', [
  RECORD,
  ONCE,
  `
return once(ARGV[3], function()
  for i = 4, #ARGV, 3 do redis.call('HINCRBY', base .. 'counts', ARGV[i] .. '\\n' .. ARGV[i + 1], ARGV[i + 2]) end
  redis.call('SADD', apps, app)
  return now
end)
`,
])
