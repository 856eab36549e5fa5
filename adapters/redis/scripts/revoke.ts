import { defineScript } from '../script.js'
import { TRANSITION } from './transition.js'

/**
 * One trip (on all shards at once where the key is not known): takes one call back, whatever its stage: parked or not
 * running yet it ends here; running it is told to stop, if that is asked for.
 */
export const REVOKE = defineScript('revoke_v1', [
  ...TRANSITION,
  `
local key, message_id, round, terminate, by = textual(3), ARGV[4], numeric(5), ARGV[6] == '1', ARGV[7]
local publish_lease_ms, result_ms = numeric(8), numeric(9)

local function stop(hold)
  if not terminate then return { 'running', now, holder_reply(hold) } end
  cancel(hold, 'revoked', by)
  return { 'cancelled', now, holder_reply(hold) }
end

local function repeated(record, ended)
  if ended.outcome ~= 'revoked' then return { 'finished', now, outcome_reply(ended) } end
  return { 'revoked', now, outcome_reply(ended), offered_promotion(record), record.key, 1 }
end

local function revoke(record)
  local hold = any_hold_of(record, message_id)
  if hold and hold.stage == 'running' then return stop(hold) end
  local call = not hold and any_call_of(record, message_id)
  local ended = not hold and not call and latest_outcome(record, message_id)
  if ended and not ended.reopened then return repeated(record, ended) end
  -- Another shard may have the round that followed: without its key nothing is written before all have said.
  if not hold and not call and not key then return { 'unknown', now, ended and record.key or false } end
  local of = hold or call or { messageId = message_id, round = ended and ended.round + 1 or round }
  if hold then remove_hold(record, hold) end
  if call then drop_call(record, id_of(call)) end
  local written = record_as(record, of, 'revoked', result_ms)
  settle(record, result_ms)
  return { 'revoked', now, outcome_reply(written), take_promotion(record, publish_lease_ms), record.key }
end

local found = key or note_of(message_id).key
if not found then return { 'unknown', now } end
local record = load(found)
local answer = revoke(record)
save(record)
return answer
`,
])
