/**
 * Lua: parked calls, in the order of their turns: a list of `<round>:<message id>` and a hash each with the call
 * (MessagePack) and, apart since few steps need it, its message. None has a PX. Needs RECORD and MESSAGE.
 */
export const PARKED = `
local function call_name(record, id) return base .. 'call:' .. record.key .. ':' .. id end

local function parked_id(record, at) return redis.call('LINDEX', parked_name(record.key), at) end

local function parked_ids(record)
  return record.parked > 0 and redis.call('LRANGE', parked_name(record.key), 0, -1) or {}
end

local function is_parked(record, id) return record.parked > 0 and redis.call('EXISTS', call_name(record, id)) == 1 end

local function read_call(record, id) return cmsgpack.unpack(redis.call('HGET', call_name(record, id), 'call')) end

local function read_message(record, id) return redis.call('HGET', call_name(record, id), 'message') end

local function write_call(record, call, message)
  redis.call('HSET', call_name(record, id_of(call)), 'call', cmsgpack.pack(call), 'message', message)
end

local function push_call(record, call, message)
  call.v, call.since = 1, now
  write_call(record, call, message)
  redis.call('RPUSH', parked_name(record.key), id_of(call))
  record.parked = record.parked + 1
  note_message(record, call)
end

-- Its turn is taken back.
local function push_first(record, hold, message)
  local call = { v = 1, messageId = hold.messageId, round = hold.round, terms = hold.terms, since = hold.since }
  write_call(record, call, message)
  redis.call('LPUSH', parked_name(record.key), id_of(call))
  record.parked = record.parked + 1
end

local function drop_call(record, id)
  if record.parked == 0 then return end
  record.parked = record.parked - redis.call('LREM', parked_name(record.key), 1, id)
  redis.call('DEL', call_name(record, id))
end

local function parts_of(id)
  local round, message_id = string.match(id, '^(%d+):(.*)$')
  return { messageId = message_id, round = tonumber(round) }
end

-- The first of a message's rounds that is parked. Costs the list's length.
local function any_call_of(record, message_id)
  for _, id in ipairs(parked_ids(record)) do
    local call = parts_of(id)
    if call.messageId == message_id then return call end
  end
end
`
