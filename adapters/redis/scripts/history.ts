/**
 * Lua: holds that ended while their message did not: a list of MessagePack maps, the newest first, for operators. Goes
 * with its last event, a week after it. Needs RECORD, RIVAL, PARKED and OUTCOME.
 */
export const HISTORY = `
local HISTORY_MS, REMEMBERED = 604800000, 20

local function history_name(record) return base .. 'history:' .. record.key end

-- Its message is no longer found by its id alone, but for how another round ended.
local function forget_message(record, hold)
  local id, latest = hold.messageId, nil
  if any_hold_of(record, id) or any_call_of(record, id) then return end
  local note = note_of(id)
  for _, ended in ipairs(note.endings) do
    if not latest or ended.at >= latest.at then latest = ended end
  end
  if not latest then
    redis.call('DEL', message_name(id))
    return
  end
  note.key, note.round = latest.key, latest.round
  write_note(id, 'PX', lifetime(note))
end

-- Whether this message's hold ended, after the grant of a token, while its message did not.
local function ended_since(record, message_id, token)
  for _, packed in ipairs(redis.call('LRANGE', history_name(record), 0, -1)) do
    local event = cmsgpack.unpack(packed)
    if event.messageId == message_id and event.at * 1000 >= token then return true end
  end
  return false
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
