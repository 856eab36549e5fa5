import { defineScript } from '../script.js'
import { EPOCH } from './epoch.js'
import { RECORD } from './record.js'
import { TRANSITION } from './transition.js'

/**
 * One trip, O(log n): how many keys of a shard are due, and how long starts are withheld after a loss of its data. An idle
 * sweep asks no more than this.
 */
export const DUE = defineScript('due_v1', [
  RECORD,
  EPOCH,
  "return { now, redis.call('ZCOUNT', due, '-inf', text(now)), math.max(0, recover_until - now) }\n",
])

/**
 * One trip a shard: ends what is over and hands out what is due, at most ARGV[3] keys, the longest due first. If the
 * reply is lost, promotions are due again after the publish lease, doubts after a second.
 */
export const SWEEP = defineScript('sweep_v1', [
  ...TRANSITION,
  EPOCH,
  `
local DOUBT_MS = 1000
local publish_lease_ms, result_ms = numeric(4), numeric(5)
local promotions, doubts = {}, {}

local function sweep(record)
  settle(record, result_ms)
  -- Each hold once: a loop "until none is due" would not end with a publish lease of 0.
  for _, hold in ipairs(record.holders) do
    local promotion = promotion_of(hold, publish_lease_ms)
    if promotion then promotions[#promotions + 1] = { record.key, promotion } end
    local doubt = hold.dueAt <= now and doubt_of(hold)
    if doubt then
      hold.dueAt = now + DOUBT_MS
      doubts[#doubts + 1] = { record.key, doubt }
    end
  end
end

for _, key in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', text(now), 'LIMIT', 0, ARGV[3])) do
  local record = load(key)
  if not record.known then drop_index(record) end
  outlive(record)
  sweep(record)
  save(record)
end
return { now, promotions, doubts }
`,
])
