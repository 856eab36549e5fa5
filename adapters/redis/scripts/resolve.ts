import { defineScript } from '../script.js'
import { EPOCH } from './epoch.js'
import { ONCE } from './once.js'
import { TRANSITION } from './transition.js'

/** One trip: the engine's word on a doubt. Looks again first: the holder may have come back meanwhile. */
export const RESOLVE = defineScript('resolve_v1', [
  ...TRANSITION,
  ONCE,
  EPOCH,
  `
local ref = { messageId = ARGV[4], round = numeric(5), token = numeric(7) }
local stage, state, max_deliveries, publish_lease_ms, result_ms = ARGV[6], ARGV[8], numeric(9), numeric(10), numeric(11)
local missing_ms = numeric(12)
local over = state == 'absent' or state == 'finished'

-- How the message ended, where it did: a run that was cut off and will not come back, or came back too often.
local function ending_of(hold)
  if hold.stage ~= 'running' then return nil end
  local cancelled = cancelled_ending(hold)
  if cancelled then return cancelled end
  local ending = { messageId = hold.messageId, round = hold.round, token = hold.token }
  if over then
    ending.outcome, ending.code = 'lock_lost', 'LOCK_LOST'
  elseif hold.deliveries >= max_deliveries then
    ending.outcome, ending.code = 'failed', 'MAX_DELIVERIES'
  end
  return ending.outcome and ending
end

local function free(record, hold, ending)
  remove_hold(record, hold)
  local ended = ending and outcome_reply(record_outcome(record, ending, result_ms)) or false
  if not ending then remember(record, 'unpublished', hold) end
  settle(record, result_ms)
  return { 'freed', now, take_promotion(record, publish_lease_ms), ended }
end

-- Somebody purged the queue: a message that is missing twice, some time apart, and still queued, is given up for lost.
local function missing(record, hold)
  local since = hold.missedAt
  hold.missedAt = over and (since or now) or nil
  if not over or not since or since + missing_ms > now then return { 'kept', now } end
  return free(record, hold, { messageId = hold.messageId, round = hold.round, token = hold.token, outcome = 'purged',
    code = 'PURGED' })
end

local function resolve(record)
  local hold = hold_of(record, ref)
  if not hold or hold.stage ~= stage then return { 'kept', now } end
  if stage == 'queued' then return missing(record, hold) end
  if hold.token ~= ref.token or not doubt_of(hold) then return { 'kept', now } end
  local ending = ending_of(hold)
  if not ending and not over then
    enqueue(hold)
    return { 'queued', now }
  end
  return free(record, hold, ending)
end

return once(ARGV[13], function()
  local record = load(ARGV[3])
  outlive(record)
  local answer = resolve(record)
  save(record)
  return answer
end)
`,
])
