import { BEAT_ALIVE_MS, EDITIONS_KEPT } from '../../../src/beat/edition.js'
import { defineScript } from '../script.js'

/**
 * Lua: the rules of src/beat/entry-record.ts. A timetable lives in one slot, so that changes of entries, their cursors
 * and one revision over all of them move together. KEYS: the index (entry names by revision). ARGV[1]: what every name
 * of this timetable begins with. `entry:<name>` is a hash that also holds the open claim and the counts (`n:<decision>`);
 * `history:<name>` one of `nominal → decision|holder|slots|at|term`.
 */
const ENTRY = `
local index, base = KEYS[1], ARGV[1]
local removed, meta, beats, editions = base .. 'removed', base .. 'meta', base .. 'beats', base .. 'editions'
local KEPT = 100
local REMOVED_KEPT_MS, BEAT_KEPT_MS = 86400000, 60000
local ACCEPTED = { published = true, deferred = true, queued = true, replaced = true }
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function text(number) return string.format('%.0f', number) end
local function entry_of(name) return base .. 'entry:' .. name end
local function history_of(name) return base .. 'history:' .. name end
local function in_force() return redis.call('LINDEX', editions, -1) end
local function is_superseded(edition) return edition ~= '' and in_force() ~= edition end
-- The fields as JSON: one text a row is read several times as fast as thirty.
local function row_reply(name)
  local flat, fields = redis.call('HGETALL', entry_of(name)), {}
  for at = 1, #flat, 2 do fields[flat[at]] = flat[at + 1] end
  return { name, cjson.encode(fields) }
end

local function revise(name)
  local revision = redis.call('HINCRBY', meta, 'revision', 1)
  redis.call('HSET', entry_of(name), 'changedAt', text(now), 'revision', text(revision))
  redis.call('ZADD', index, revision, name)
end

local function set_or_del(key, field, value)
  if value == '' then redis.call('HDEL', key, field) else redis.call('HSET', key, field, value) end
end

local function read(name)
  local stored = redis.call('HMGET', entry_of(name), 'state', 'revision', 'nominal', 'claimNominal', 'claimTerm',
    'claimBy', 'claimDeadline', 'claimOver', 'lastTerm', 'askedAt')
  if not stored[1] then return nil end
  local row = { name = name, state = stored[1], revision = tonumber(stored[2]), nominal = tonumber(stored[3]),
    lastTerm = tonumber(stored[9]) or 0, askedAt = tonumber(stored[10]) }
  if stored[5] then
    row.claim = { nominal = tonumber(stored[4]), term = tonumber(stored[5]), by = stored[6],
      deadline = tonumber(stored[7]), over = stored[8] == '1' }
  end
  return row
end

local function claim_reply(claim) return { claim.nominal, claim.term, claim.by, claim.deadline } end
local function moved(row) return { 'moved', now, row.nominal, row.claim and claim_reply(row.claim) or false } end
local function reserved(row, claim) return { 'reserved', now, row.nominal, claim_reply(claim) } end
local function changed() return { 'changed', now } end

local function take(row, nominal, by, claim_ms, over)
  local claim = { nominal = nominal, term = row.lastTerm + 1, by = by, deadline = now + claim_ms }
  redis.call('HSET', entry_of(row.name), 'lastTerm', text(claim.term), 'claimNominal', text(nominal), 'claimTerm',
    text(claim.term), 'claimBy', by, 'claimDeadline', text(claim.deadline), 'claimOver', over)
  return reserved(row, claim)
end

local function trim(history)
  local nominals = redis.call('HKEYS', history)
  table.sort(nominals, function(a, b) return tonumber(a) > tonumber(b) end)
  for at = KEPT + 1, #nominals do redis.call('HDEL', history, nominals[at]) end
end

-- The first writer wins.
local function remember(name, nominal, decision, holder, slots, term)
  local key, history = entry_of(name), history_of(name)
  local packed = table.concat({ decision, holder, slots, text(now), term }, '|')
  if redis.call('HSETNX', history, text(nominal), packed) == 0 then return end
  if redis.call('HLEN', history) > KEPT * 1.25 then trim(history) end
  redis.call('HINCRBY', key, 'n:' .. decision, slots)
  redis.call('HSET', key, 'lastNominal', text(nominal), 'lastDecision', decision)
  local runs = ACCEPTED[decision] and redis.call('HINCRBY', key, 'runs', 1) or 0
  local bound = redis.call('HMGET', key, 'maxRuns', 'state')
  if bound[1] and runs >= tonumber(bound[1]) and bound[2] == 'active' then redis.call('HSET', key, 'state', 'finished') end
end

local function drop(name, first, last)
  for at = first, last, 3 do remember(name, tonumber(ARGV[at + 1]), ARGV[at], '', ARGV[at + 2], '0') end
end

-- Why a slot cannot be passed: the entry is another, or its cursor has moved on.
local function refusal(row, revision, from)
  if not row or row.revision ~= revision or row.state ~= 'active' then return changed() end
  if row.nominal ~= from or row.claim then return moved(row) end
end

local function pass(row, nominal)
  row.nominal = nominal
  redis.call('HSET', entry_of(row.name), 'nominal', text(nominal))
  redis.call('HDEL', entry_of(row.name), 'resumedAt')
end

-- An entry that begins now. Terms go on where a removed one of the name left them.
local function create(name, spec, config, max_runs)
  local key = entry_of(name)
  local last_term = redis.call('HGET', key, 'lastTerm')
  redis.call('DEL', key, history_of(name))
  redis.call('HSET', key, 'v', '1', 'spec', spec, 'state', 'active', 'runs', '0', 'nominal', text(now), 'createdAt', text(now))
  set_or_del(key, 'config', config)
  set_or_del(key, 'maxRuns', max_runs)
  if last_term then redis.call('HSET', key, 'lastTerm', last_term) end
  redis.call('ZREM', removed, name)
  revise(name)
end
`

/**
 * One trip a batch. ARGV: how, the edition that must be in force or ''; then of each name, spec, config, maxRuns; revision, from, at, due of what it is put over,
 * and how many texts follow: decision, latest, slots of what is dropped.
 */
export const PUT = defineScript('put_v1', [
  ENTRY,
  `
local how = ARGV[2]

local function change(at, have)
  local name, max_runs, due = ARGV[at], ARGV[at + 3], tonumber(ARGV[at + 7])
  local key, state = entry_of(name), have[1]
  if ARGV[at + 4] ~= have[5] or ARGV[at + 5] ~= have[3] then return 'moved' end
  if state == 'active' or state == 'finished' then
    state = max_runs ~= '' and tonumber(have[4]) >= tonumber(max_runs) and 'finished' or 'active'
  end
  if due and (have[6] or state ~= 'active') then return 'moved' end
  drop(name, at + 9, at + 8 + ARGV[at + 8])
  redis.call('HSET', key, 'spec', ARGV[at + 1], 'state', state,
    'nominal', text(math.max(tonumber(have[3]), tonumber(ARGV[at + 6]))))
  redis.call('HDEL', key, 'resumedAt')
  if how == 'merge' then set_or_del(key, 'config', ARGV[at + 2]) end
  set_or_del(key, 'maxRuns', max_runs)
  revise(name)
  if due then take(read(name), due, '', 0, '0') end
  return 'changed'
end

local function put(at)
  if is_superseded(ARGV[3]) then return 'superseded' end
  local name, config = ARGV[at], ARGV[at + 2]
  local have = redis.call('HMGET', entry_of(name), 'state', 'config', 'nominal', 'runs', 'revision', 'claimTerm')
  if not have[1] or have[1] == 'removed' then
    if how == 'change' then return 'missing' end
    create(name, ARGV[at + 1], config, ARGV[at + 3])
    return 'created'
  end
  if how == 'add' then return 'exists' end
  if how == 'merge' and (have[2] or '') == config then return 'kept' end
  return change(at, have)
end

local outcomes, at = {}, 4
while at <= #ARGV do
  outcomes[#outcomes + 1] = put(at)
  at = at + 9 + ARGV[at + 8]
end
return outcomes
`,
])

/**
 * One trip. ARGV: name, what to, its one argument or '', the edition that must be in force or '', revision, from and at of what
 * it is done over or ''; then decision, latest, slots of what is dropped.
 */
export const ALTER = defineScript('alter_v1', [
  ENTRY,
  `
local name, to, argument = ARGV[2], ARGV[3], ARGV[4]
local key = entry_of(name)
local have = redis.call('HMGET', key, 'state', 'maxRuns', 'runs', 'nominal', 'config', 'createdAt', 'revision')
local state = have[1]

local function forget_removed()
  for _, old in ipairs(redis.call('ZRANGEBYSCORE', removed, '-inf', text(now - REMOVED_KEPT_MS), 'LIMIT', 0, 100)) do
    redis.call('DEL', entry_of(old))
    redis.call('ZREM', index, old)
    redis.call('ZREM', removed, old)
  end
end

-- Of an entry that nobody holds back: one that had its runs, in a pause maybe, has no more slots.
local open_state = have[2] and tonumber(have[3]) >= tonumber(have[2]) and 'finished' or 'active'

local ACTS = {
  enabled = function()
    if state ~= 'disabled' and state ~= 'finished' then return end
    redis.call('HSET', key, 'state', open_state, 'nominal', text(math.max(tonumber(have[4]), now)))
    revise(name)
  end,
  disabled = function()
    if state == 'disabled' then return end
    if ARGV[6] ~= '' then
      if ARGV[6] ~= have[7] or ARGV[7] ~= have[4] then return end
      drop(name, 9, #ARGV)
      redis.call('HSET', key, 'nominal', text(math.max(tonumber(have[4]), tonumber(ARGV[8]))))
    end
    redis.call('HSET', key, 'state', 'disabled')
    redis.call('HDEL', key, 'pausedAt', 'pausedWhy', 'resumedAt')
    revise(name)
  end,
  paused = function()
    if state ~= 'active' then return end
    redis.call('HSET', key, 'state', 'paused', 'pausedAt', text(now))
    set_or_del(key, 'pausedWhy', argument)
    revise(name)
  end,
  resumed = function()
    if state ~= 'paused' then return end
    redis.call('HSET', key, 'state', open_state)
    redis.call('HDEL', key, 'pausedAt', 'pausedWhy')
    if argument == 'now' then redis.call('HSET', key, 'resumedAt', text(now)) end
    revise(name)
  end,
  asked = function()
    redis.call('HSET', key, 'askedAt', text(now))
    revise(name)
  end,
  removed = function()
    create(name, '', '', '')
    redis.call('HSET', key, 'state', 'removed', 'createdAt', have[6], 'nominal', have[4])
    redis.call('ZADD', removed, now, name)
  end,
}

if not state or state == 'removed' or is_superseded(ARGV[5]) then return false end
if to == 'removed' and argument ~= '' and argument ~= (have[5] or '') then return false end
ACTS[to]()
local reply = row_reply(name)
forget_removed()
return reply
`,
])

/** One trip a page, reads only. ARGV: after, limit. */
export const CHANGES = defineScript('changes_v1', [
  ENTRY,
  `
local revision = tonumber(redis.call('HGET', meta, 'revision') or '0')
local rows = {}
for at, name in ipairs(redis.call('ZRANGEBYSCORE', index, '(' .. ARGV[2], '+inf', 'LIMIT', 0, ARGV[3])) do
  rows[at] = row_reply(name)
end
return { revision, rows }
`,
])

/** One trip, reads only. */
export const SHOW = defineScript('show_v1', [ENTRY, 'return row_reply(ARGV[2])\n'])

/** One trip. ARGV: name, revision, from, nominal, kind, by, claim ms; then decision, latest, slots of what is dropped. */
export const RESERVE = defineScript('reserve_v1', [
  ENTRY,
  `
local row = read(ARGV[2])
local nominal, by, claim_ms = tonumber(ARGV[5]), ARGV[7], tonumber(ARGV[8])
local open = row and row.claim
if open and open.nominal == nominal and open.by == by then return reserved(row, open) end
if ARGV[6] == 'asked' then
  if not row or row.state == 'removed' then return changed() end
  if open or row.askedAt ~= nominal then return moved(row) end
  redis.call('HDEL', entry_of(row.name), 'askedAt')
  return take(row, nominal, by, claim_ms, '0')
end
local refused = refusal(row, tonumber(ARGV[3]), tonumber(ARGV[4]))
if refused then return refused end
pass(row, nominal)
drop(row.name, 9, #ARGV)
return take(row, nominal, by, claim_ms, '0')
`,
])

/** One trip. ARGV: name, revision, from, to; then decision, latest, slots of what is dropped. */
export const PASS = defineScript('pass_v1', [
  ENTRY,
  `
local row = read(ARGV[2])
local refused = refusal(row, tonumber(ARGV[3]), tonumber(ARGV[4]))
if refused then return refused end
pass(row, tonumber(ARGV[5]))
drop(row.name, 6, #ARGV)
return moved(row)
`,
])

/** One trip: the next term of a claim whose deadline has passed. Its taker, asking again, hears the same. */
export const TAKE_OVER = defineScript('take_over_v1', [
  ENTRY,
  `
local row = read(ARGV[2])
local term, by, claim_ms = tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
if not row then return changed() end
local open = row.claim
if open and open.over and open.term == term + 1 and open.by == by then return reserved(row, open) end
if not open or open.term ~= term or open.deadline > now then return moved(row) end
return take(row, open.nominal, by, claim_ms, '1')
`,
])

/** One trip: the one decision of a slot; closes its claim, if the term is the present one. */
export const DECIDE = defineScript('decide_v1', [
  ENTRY,
  `
local row = read(ARGV[2])
local nominal, term = tonumber(ARGV[3]), tonumber(ARGV[4])
if not row or row.state == 'removed' then return { now, false } end
-- Else it has been decided, maybe longer ago than the history goes back.
local open = row.claim and row.claim.nominal == nominal
if open then remember(row.name, nominal, ARGV[5], ARGV[6], ARGV[7], ARGV[4]) end
if open and row.claim.term == term then
  redis.call('HDEL', entry_of(row.name), 'claimNominal', 'claimTerm', 'claimBy', 'claimDeadline', 'claimOver')
end
return { now, redis.call('HGET', history_of(row.name), text(nominal)) }
`,
])

/**
 * One trip: the rule of src/beat/edition.ts. ARGV: by, report, edition, whether it was superseded. The data are named by when
 * their first edition came.
 */
export const ADOPT = defineScript('adopt_v1', [
  ENTRY,
  `
local ALIVE_MS, EDITIONS_KEPT = ${BEAT_ALIVE_MS}, ${EDITIONS_KEPT}
local by, report, edition = ARGV[2], ARGV[3], ARGV[4]
local present = in_force()

local function is_defended()
  local all = redis.call('HGETALL', beats)
  for at = 2, #all, 2 do
    local seen_at, told = string.match(all[at], '^(%d+) (.*)$')
    if now - tonumber(seen_at) <= ALIVE_MS and cjson.decode(told).edition == present then return true end
  end
  return false
end

redis.call('HSETNX', meta, 'born', text(time[1] * 1000000 + time[2]))
redis.call('HSET', beats, by, text(now) .. ' ' .. report)
if present == edition then return edition end
local known = ARGV[5] == '1' or redis.call('LPOS', editions, edition)
if present and known and is_defended() then return present end
redis.call('LREM', editions, 0, edition)
redis.call('RPUSH', editions, edition)
redis.call('LTRIM', editions, -EDITIONS_KEPT, -1)
return edition
`,
])

/** One trip. ARGV: by, ms of the lead or '', report or ''. */
export const ATTEND = defineScript('attend_v1', [
  ENTRY,
  `
local by, lead_ms, report = ARGV[2], tonumber(ARGV[3]), ARGV[4]
if report ~= '' then
  redis.call('HSET', beats, by, text(now) .. ' ' .. report)
  local all = redis.call('HGETALL', beats)
  for at = 1, #all, 2 do
    if now - tonumber(string.match(all[at + 1], '^%d+')) > BEAT_KEPT_MS then redis.call('HDEL', beats, all[at]) end
  end
end
local have = redis.call('HMGET', meta, 'revision', 'leader', 'leadUntil', 'born')
local leader, free = have[2], not have[2] or tonumber(have[3]) <= now
if lead_ms and (leader == by or free) then
  leader = by
  redis.call('HSET', meta, 'leader', by, 'leadUntil', text(now + lead_ms))
elseif not lead_ms and leader == by then
  leader = false
  redis.call('HDEL', meta, 'leader', 'leadUntil')
end
-- A server that was started again may have read older data. Where we may not ask it, their age alone tells.
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
return { now, tonumber(have[1] or '0'), leader, in_force(), (have[4] or '') .. ' ' .. run }
`,
])

/** One trip, reads only. */
export const BEATS = defineScript('beats_v1', [
  ENTRY,
  `
local have = redis.call('HMGET', meta, 'leader', 'leadUntil')
local leader = have[1] and tonumber(have[2]) > now and have[1]
return { now, leader, redis.call('HGETALL', beats) }
`,
])

/** One trip. ARGV: by. */
export const LEAVE = defineScript('leave_v1', [
  ENTRY,
  `
redis.call('HDEL', beats, ARGV[2])
if redis.call('HGET', meta, 'leader') == ARGV[2] then redis.call('HDEL', meta, 'leader', 'leadUntil') end
return 1
`,
])
