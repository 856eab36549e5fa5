/**
 * Lua: the record of a key, read into tables shaped like the pure model's and written back by difference, so that the
 * transitions below read like src/lock/transition.
 *
 * `KEYS` declares the shard's own keys. The names of records, parked calls and messages are computed: only the record
 * knows which of them a transition touches. All carry the shard's hash tag, hence the same slot of a cluster.
 *
 * A record is one hash: a field a hold, named by its place in the order of granting. A hold is a sequence of MessagePack
 * values: thirty hash fields of their own tripled the time of a transition, maps with the fields' names cost four times
 * the sequence, and unlike JSON it keeps all digits of a token. No record has a PX. Numbers that are written as text go
 * by `%.0f`: Lua's own text of 1.79e15 loses digits (as an argument of redis.call a number keeps them all).
 *
 * A script is run from its top: each function that it defines is paid for by every call. What a step mostly needs comes
 * first, then it looks whether that is all; the rest stands below that line.
 */
export const RECORD = `
local due, index, tokens, apps = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local app, base = ARGV[1], ARGV[2]
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)

local function text(number) return string.format('%.0f', number) end

-- Tells whoever listens. Nothing depends on it: a server that allows no channels to this user keeps its locks all the same.
local function notify(topic) redis.pcall('PUBLISH', 'beatlock:' .. app .. ':' .. topic, '') end

-- An argument: '' stands for null.
local function textual(i) if ARGV[i] == '' then return nil end return ARGV[i] end
local function numeric(i) return tonumber(ARGV[i]) end

local function record_name(key) return base .. 'record:' .. key end
local function parked_name(key) return base .. 'parked:' .. key end

-- In the order of unpacked.
local function packed(hold)
  local terms = hold.terms
  return cmsgpack.pack(1, hold.messageId, hold.round, hold.set, hold.stage, hold.since, hold.acquiredAt, hold.expiresAt,
    hold.dueAt, hold.notBefore, hold.deliveries, hold.retries, hold.leaseMs, hold.lockDelayMs, hold.token, hold.owner,
    hold.worker, hold.barrier, hold.slot, hold.message, hold.cancelledHow, hold.cancelledBy, hold.missedAt, terms.task, terms.label,
    terms.queue, terms.limit, terms.mode, terms.timeoutMs, terms.guarded, terms.notBefore, terms.expiresAt)
end

-- place: its field. stored: as it was read.
local function unpacked(place, stored)
  local terms, hold = {}, { place = place, stored = stored }
  hold.v, hold.messageId, hold.round, hold.set, hold.stage, hold.since, hold.acquiredAt, hold.expiresAt,
    hold.dueAt, hold.notBefore, hold.deliveries, hold.retries, hold.leaseMs, hold.lockDelayMs, hold.token, hold.owner,
    hold.worker, hold.barrier, hold.slot, hold.message, hold.cancelledHow, hold.cancelledBy, hold.missedAt, terms.task, terms.label,
    terms.queue, terms.limit, terms.mode, terms.timeoutMs, terms.guarded, terms.notBefore, terms.expiresAt
    = cmsgpack.unpack(stored)
  -- Written back it would lose what a newer version has put at its end.
  if hold.v ~= 1 then error('NEWER ' .. hold.v) end
  hold.terms = terms
  return hold
end

local function load(key)
  local holders = {}
  local record = { key = key, holders = holders, parked = 0, known = false }
  local flat = redis.call('HGETALL', record_name(key))
  if #flat == 0 then return record end
  for i = 1, #flat, 2 do holders[#holders + 1] = unpacked(tonumber(flat[i]), flat[i + 1]) end
  if #holders > 1 then table.sort(holders, function(a, b) return a.place < b.place end) end
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
  redis.call('ZADD', due, first, record.key)
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
  local name, changed = record_name(record.key), record.gone
  for _, hold in ipairs(record.gone or {}) do redis.call('HDEL', name, hold.place) end
  for _, hold in ipairs(record.holders) do
    local written = packed(hold)
    if written ~= hold.stored then
      redis.call('HSET', name, hold.place, written)
      changed = true
    end
  end
  if changed then write_index(record) end
  if not record.turned then return end
  -- Of the turns that were given, one may be left that no answer carries.
  for _, hold in ipairs(record.holders) do
    if hold.stage == 'promoting' and hold.dueAt <= now then return notify('due') end
  end
end
`
