import { defineScript } from '../script.js'
import { TRANSITION } from './transition.js'

/** One trip: a running hold falls back to its own message, for a retry or because its process died. */
export const REQUEUE = defineScript('requeue_v1', [
  ...TRANSITION,
  `
local ref = { messageId = ARGV[4], round = numeric(5), token = numeric(6) }
local reason, delay_ms, max_deliveries = ARGV[7], numeric(8), numeric(9)
local publish_lease_ms, result_ms = numeric(10), numeric(11)

local function ending_of(hold)
  local cancelled = cancelled_ending(hold)
  if cancelled then return cancelled end
  if reason ~= 'redelivery' or hold.deliveries < max_deliveries then return nil end
  return { messageId = ref.messageId, round = ref.round, token = ref.token, outcome = 'failed',
    code = 'MAX_DELIVERIES' }
end

local function finish(record, hold, ending)
  remove_hold(record, hold)
  local ended = record_outcome(record, ending, result_ms)
  settle(record, result_ms)
  return { 'ended', now, outcome_reply(ended), take_promotion(record, publish_lease_ms) }
end

local function requeue(record)
  local ended = find_outcome(record, ref)
  if ended and ended.token == ref.token then return { 'finished', now, outcome_reply(ended) } end
  local hold = hold_of(record, ref)
  if ended or not hold or hold.token ~= ref.token then return { 'stale', now } end
  if hold.stage == 'queued' then return { 'queued', now, hold.notBefore or now } end
  local ending = ending_of(hold)
  if ending then return finish(record, hold, ending) end
  hold.notBefore = now + delay_ms
  if reason == 'retry' then hold.retries, hold.deliveries = hold.retries + 1, 0 end
  if reason == 'unstarted' then hold.deliveries = math.max(0, hold.deliveries - 1) end
  enqueue(hold)
  return { 'queued', now, hold.notBefore }
end

local record = load(ARGV[3])
local answer = requeue(record)
save(record)
return answer
`,
])
