import { defineScript } from '../script.js'
import { EPOCH } from './epoch.js'
import { ONCE } from './once.js'
import { TRANSITION } from './transition.js'

/** One trip: an operator frees a key. A cleared message that is with the engine stays there. */
export const CLEAR = defineScript('clear_v1', [
  ...TRANSITION,
  ONCE,
  EPOCH,
  `
local with_parked, running, by, publish_lease_ms, result_ms = ARGV[4] == '1', ARGV[5], ARGV[6], numeric(7), numeric(8)

local function discard(record)
  local discarded = {}
  for at, id in ipairs(parked_ids(record)) do
    local call = parts_of(id)
    redis.call('DEL', call_name(record, id))
    record_as(record, call, 'revoked', result_ms)
    discarded[at] = call.messageId
  end
  redis.call('DEL', parked_name(record.key))
  record.parked = 0
  return discarded
end

-- A run that was told to stop must not come again; a parked call that had its turn exists only in the record.
local function drop(record, hold)
  remove_hold(record, hold)
  if hold.stage == 'running' then notify('worker:' .. hold.worker) end
  local cancelled = cancelled_ending(hold)
  if cancelled then
    record_outcome(record, cancelled, result_ms)
  elseif hold.stage == 'promoting' then
    record_as(record, hold, 'cleared', result_ms)
  else
    remember(record, 'cleared', hold, by)
  end
end

-- Not settled first: a parked call that settling promotes would be taken for a holder and ended with it.
local function clear(record)
  local discarded = with_parked and discard(record) or {}
  local freed, cancelled, kept, dropped = {}, {}, {}, {}
  for _, hold in ipairs(record.holders) do
    local lives = hold.stage == 'running' and hold.expiresAt + hold.lockDelayMs > now
    local seen = holder_reply(hold)
    if not lives or running == 'drop' then
      freed[#freed + 1] = seen
      dropped[#dropped + 1] = hold
    elseif running == 'cancel' then
      cancelled[#cancelled + 1] = seen
      cancel(hold, 'cleared', by)
    else
      kept[#kept + 1] = seen
    end
  end
  for _, hold in ipairs(dropped) do drop(record, hold) end
  settle(record, result_ms)
  return { now, freed, cancelled, kept, discarded, take_promotion(record, publish_lease_ms) }
end

return once(ARGV[9], function()
  local record = load(ARGV[3])
  outlive(record)
  local answer = clear(record)
  save(record)
  return answer
end)
`,
])
