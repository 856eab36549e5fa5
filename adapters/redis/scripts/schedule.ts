import { defineScript } from '../script.js'

/**
 * Lua: one entry of the timetable. KEYS: its cursor (a hash that also holds the open claim) and the list of its
 * decided slots, newest first. The names of the decisions are computed: they carry the same hash tag.
 */
const ENTRY = `
local cursor, decisions = KEYS[1], KEYS[2]
local KEPT = 1000
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function text(number) return string.format('%.0f', number) end
local function decision_name(nominal) return decisions .. ':' .. text(nominal) end

local function read(name)
  local stored = redis.call('HMGET', name, 'nominal', 'claimNominal', 'claimTerm', 'claimBy', 'claimDeadline',
    'lastTerm', 'claimOver')
  local state = { nominal = tonumber(stored[1]), lastTerm = tonumber(stored[6]) or 0 }
  if not state.nominal then
    state.nominal = now
    redis.call('HSET', name, 'v', '1', 'nominal', text(now))
  end
  if stored[3] then
    state.claim = { nominal = tonumber(stored[2]), term = tonumber(stored[3]), by = stored[4],
      deadline = tonumber(stored[5]), over = stored[7] == '1' }
  end
  return state
end

local function claim_reply(claim) return { claim.nominal, claim.term, claim.by, claim.deadline } end
local function cursor_reply(state) return { state.nominal, state.claim and claim_reply(state.claim) or false } end
local function moved(state) return { 'moved', now, cursor_reply(state) } end

local function take(state, nominal, by, claim_ms, over)
  local claim = { nominal = nominal, term = state.lastTerm + 1, by = by, deadline = now + claim_ms }
  redis.call('HSET', cursor, 'nominal', text(nominal), 'lastTerm', text(claim.term), 'claimNominal', text(nominal),
    'claimTerm', text(claim.term), 'claimBy', by, 'claimDeadline', text(claim.deadline), 'claimOver', over)
  return { 'reserved', now, claim_reply(claim) }
end

local function decision_reply(nominal)
  local row = redis.call('HMGET', decision_name(nominal), 'decision', 'messageId', 'holder', 'slots', 'at')
  if not row[1] then return false end
  return { nominal, row[1], row[2], row[3], tonumber(row[4]), tonumber(row[5]) }
end

-- The first writer wins.
local function remember(nominal, decision, message_id, holder, slots)
  local name = decision_name(nominal)
  if redis.call('EXISTS', name) == 1 then return end
  redis.call('HSET', name, 'v', '1', 'decision', decision, 'slots', slots, 'at', text(now))
  if message_id ~= '' then redis.call('HSET', name, 'messageId', message_id) end
  if holder ~= '' then redis.call('HSET', name, 'holder', holder) end
  if redis.call('LPUSH', decisions, text(nominal)) > KEPT then
    redis.call('DEL', decision_name(tonumber(redis.call('RPOP', decisions))))
  end
end
`

/** One trip a batch: creates missing cursors at the server's now and answers all. KEYS: the cursors. */
export const LOAD = defineScript('load_v1', [
  ENTRY,
  `
local replies = {}
for at, name in ipairs(KEYS) do replies[at] = cursor_reply(read(name)) end
return replies
`,
])

/** One trip: moves the cursor by compare-and-set and claims the slot; the dropped slots are one row. */
export const RESERVE = defineScript('reserve_v1', [
  ENTRY,
  `
local from, nominal, by, claim_ms = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local state = read(cursor)
local open = state.claim
if open and open.nominal == nominal and open.by == by then return { 'reserved', now, claim_reply(open) } end
if state.nominal ~= from or open then return moved(state) end
if ARGV[5] ~= '' then remember(tonumber(ARGV[5]), 'missed', '', '', ARGV[6]) end
return take(state, nominal, by, claim_ms, '0')
`,
])

/** One trip: the next term of a claim whose deadline has passed. Its taker, asking again, hears the same. */
export const TAKE_OVER = defineScript('take_over_v1', [
  ENTRY,
  `
local term, by, claim_ms = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local state = read(cursor)
local open = state.claim
if open and open.over and open.term == term + 1 and open.by == by then return { 'reserved', now, claim_reply(open) } end
if not open or open.term ~= term or open.deadline > now then return moved(state) end
return take(state, open.nominal, by, claim_ms, '1')
`,
])

/** One trip: writes the one decision of a slot and closes its claim, if the term is the present one. */
export const DECIDE = defineScript('decide_v1', [
  ENTRY,
  `
local nominal, term = tonumber(ARGV[1]), tonumber(ARGV[2])
remember(nominal, ARGV[3], ARGV[4], ARGV[5], ARGV[6])
local open = read(cursor).claim
if open and open.term == term and open.nominal == nominal then
  redis.call('HDEL', cursor, 'claimNominal', 'claimTerm', 'claimBy', 'claimDeadline', 'claimOver')
end
return decision_reply(nominal)
`,
])

/** One trip, reads only: the newest decisions. */
export const HISTORY = defineScript('history_v1', [
  ENTRY,
  `
local rows = {}
for _, nominal in ipairs(redis.call('LRANGE', decisions, 0, tonumber(ARGV[1]) - 1)) do
  rows[#rows + 1] = decision_reply(tonumber(nominal)) or nil
end
return rows
`,
])
