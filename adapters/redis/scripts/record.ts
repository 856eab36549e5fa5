/**
 * Lua: the record of a key, read into tables shaped like the pure model's and written back by difference, so that the
 * transitions below read like src/lock/transition.
 *
 * `KEYS` declares the shard's own keys. The names of records, parked calls and outcomes are computed: only the record
 * knows which of them a transition touches. All carry the shard's hash tag, hence the same slot of a cluster.
 *
 * A record is one hash: a field a hold, named by its place in the order of granting. A hold is one MessagePack map
 * (absent = null): thirty hash fields of their own tripled the time of a transition, and unlike JSON it keeps all digits
 * of a token. No record has a PX. Numbers that are written as text go by `%.0f`: Lua's own text of 1.79e15 loses digits.
 */
export const RECORD = `
local due, index, tokens, apps = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local app, base = ARGV[1], ARGV[2]
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)

local function text(number) return string.format('%.0f', number) end

-- An argument: '' stands for null.
local function textual(i) if ARGV[i] == '' then return nil end return ARGV[i] end
local function numeric(i) return tonumber(ARGV[i]) end

local function terms_at(i)
  return { task = ARGV[i], label = ARGV[i + 1], queue = ARGV[i + 2], limit = numeric(i + 3), mode = ARGV[i + 4],
    timeoutMs = numeric(i + 5), guarded = ARGV[i + 6] == '1', notBefore = numeric(i + 7), expiresAt = numeric(i + 8) }
end

local function record_name(key) return base .. 'record:' .. key end
local function parked_name(key) return base .. 'parked:' .. key end
local function message_name(id) return base .. 'message:' .. id end
local function id_of(ref) return text(ref.round) .. ':' .. ref.messageId end

-- From the id of a message to its key, for those who do not know the key.
local function note_message(record, ref)
  redis.call('SET', message_name(ref.messageId), text(ref.round) .. ':' .. record.key)
end

-- places, stored: by hold, where it was read from. ended: outcomes by message, as far as they were read.
local function load(key)
  local record = { key = key, holders = {}, gone = {}, places = {}, stored = {}, ended = {}, parked = 0, known = false }
  local flat = redis.call('HGETALL', record_name(key))
  if #flat == 0 then return record end
  for i = 1, #flat, 2 do
    local hold = cmsgpack.unpack(flat[i + 1])
    record.holders[#record.holders + 1] = hold
    record.places[hold], record.stored[hold] = tonumber(flat[i]), flat[i + 1]
  end
  if #record.holders > 1 then
    table.sort(record.holders, function(a, b) return record.places[a] < record.places[b] end)
  end
  record.known = true
  record.parked = redis.call('LLEN', parked_name(key))
  return record
end

local function drop_index(record)
  redis.call('DEL', record_name(record.key))
  redis.call('ZREM', due, record.key)
  redis.call('ZREM', index, record.key)
end

local function write_index(record)
  local first, guarded
  for _, hold in ipairs(record.holders) do
    if not first or hold.dueAt < first then first = hold.dueAt end
    if hold.terms.guarded then guarded = true end
  end
  redis.call('ZADD', due, text(first), record.key)
  if record.known then return end
  if guarded then redis.call('ZADD', index, 0, record.key) end
  redis.call('SADD', apps, app)
end

-- Writes what changed. A key without a holder has no parked call either: settling gave it the place.
local function save(record)
  if #record.holders == 0 then
    if record.known then drop_index(record) end
    return
  end
  local name, changed = record_name(record.key), false
  for _, hold in ipairs(record.gone) do
    redis.call('HDEL', name, record.places[hold])
    changed = true
  end
  for _, hold in ipairs(record.holders) do
    local packed = cmsgpack.pack(hold)
    if packed ~= record.stored[hold] then
      redis.call('HSET', name, record.places[hold], packed)
      changed = true
    end
  end
  if changed then write_index(record) end
end
`
