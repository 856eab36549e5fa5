/**
 * Lua: what a shard knows of a message by its id: the key and round it was seen with last, and how its rounds ended.
 * One value a message, a sequence of MessagePack values (key, round, then each ending, packed as well), written in the
 * step that tells of it. In flight it has no PX, after its end that of the ending that is kept longest. Needs RECORD.
 */
export const MESSAGE = `
local notes = {}

local function id_of(ref) return text(ref.round) .. ':' .. ref.messageId end

local function message_name(id) return base .. 'message:' .. id end

local function unpacked_ending(message_id, stored)
  local ended = { messageId = message_id }
  ended.key, ended.round, ended.outcome, ended.token, ended.result, ended.code, ended.error, ended.into, ended.at,
    ended.keepUntil, ended.resultUntil, ended.reopened = cmsgpack.unpack(stored)
  return ended
end

local function packed_ending(ended)
  return cmsgpack.pack(ended.key, ended.round, ended.outcome, ended.token, ended.result, ended.code, ended.error,
    ended.into, ended.at, ended.keepUntil, ended.resultUntil, ended.reopened)
end

-- Each is read once a step. endings: those that are still to be known.
local function note_of(message_id)
  local note = notes[message_id]
  if note then return note end
  note = { endings = {} }
  notes[message_id] = note
  local stored = redis.call('GET', message_name(message_id))
  if not stored then return note end
  local parts = { cmsgpack.unpack(stored) }
  note.key, note.round = parts[1], parts[2]
  for at = 3, #parts do
    local ended = unpacked_ending(message_id, parts[at])
    if ended.keepUntil > now then note.endings[#note.endings + 1] = ended end
  end
  return note
end

-- How long it is worth keeping once its message is not in flight.
local function lifetime(note)
  local last = 0
  for _, ended in ipairs(note.endings) do last = math.max(last, ended.keepUntil) end
  return last - now
end

local function write_note(message_id, ...)
  local note, endings = note_of(message_id), {}
  for at, ended in ipairs(note.endings) do endings[at] = packed_ending(ended) end
  redis.call('SET', message_name(message_id), cmsgpack.pack(note.key, note.round, unpack(endings)), ...)
end

-- The message is in flight under this key.
local function note_message(record, ref)
  local note = note_of(ref.messageId)
  note.key, note.round = record.key, ref.round
  write_note(ref.messageId)
end

-- The same for one that nothing is known of: false, and nothing is written, where something is.
local function note_first(record, ref)
  return redis.call('SET', message_name(ref.messageId), cmsgpack.pack(record.key, ref.round), 'NX')
end
`
