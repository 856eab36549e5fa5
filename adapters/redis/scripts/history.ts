/**
 * Lua: holds that ended while their message did not: a list of MessagePack maps, the newest first, for operators. Goes
 * with its last event, a week after it. Needs RECORD, HOLD, PARKED and OUTCOME.
 */
export const HISTORY = `
local HISTORY_MS, REMEMBERED = 604800000, 20

local function history_name(record) return base .. 'history:' .. record.key end

-- Its message is no longer found by its id alone, but for how another round ended.
local function forget_message(record, hold)
  local id = hold.messageId
  if any_hold_of(record, id) or any_call_of(record, id) then return end
  local latest = latest_outcome(record, id)
  if not latest then
    redis.call('DEL', message_name(id))
    return
  end
  local keep = text(lifetime(outcomes_of(record, id)))
  redis.call('SET', message_name(id), text(latest.round) .. ':' .. record.key, 'PX', keep)
end

local function remember(record, event, hold, by)
  local name = history_name(record)
  if redis.call('LPUSH', name, cmsgpack.pack({ at = now, event = event, messageId = hold.messageId, by = by })) > REMEMBERED then
    redis.call('LTRIM', name, 0, REMEMBERED - 1)
  end
  redis.call('PEXPIRE', name, HISTORY_MS)
  forget_message(record, hold)
end
`
