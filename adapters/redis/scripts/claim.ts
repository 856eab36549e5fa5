import { defineScript } from '../script.js'
import { EPOCH } from './epoch.js'
import { TRANSITION } from './transition.js'

/**
 * One trip a lease, after a renewal that found it gone: whether the server lost its data, and the hold with them. Then it
 * is made anew as src/lock/transition/reclaim.ts has it.
 */
export const CLAIM = defineScript('claim_v1', [
  ...TRANSITION,
  EPOCH,
  `
local ref = { messageId = ARGV[4], round = numeric(5) }
local terms = terms_at(6)
local owner, worker, barrier, slot = ARGV[15], ARGV[16], ARGV[17], numeric(18)
local lease_ms, lock_delay_ms, token, deliveries, retries = numeric(19), numeric(20), numeric(21), numeric(22), numeric(23)
local ENDED = { 'lost', 'ended' }

local function is_firm(hold) return hold.stage == 'running' and hold.token > token end

-- Its message, if it has one with the engine, passes the guard again; one that exists in the record only waits again.
local function make_way(record, hold)
  remove_hold(record, hold)
  if hold.stage == 'promoting' and hold.message then return push_first(record, hold, hold.message) end
  if hold.stage ~= 'cooling' then remember(record, 'displaced', hold) end
end

-- Who has the same slot goes in any case; then who does not run yet, the last to come first; then the lowest token.
local function make_room(record, rivals)
  local sitting, waiting, running = nil, {}, {}
  for _, hold in ipairs(rivals) do
    if not sitting and hold.stage == 'running' and hold.slot == slot then sitting = hold end
  end
  for at = #rivals, 1, -1 do
    local hold = rivals[at]
    if hold ~= sitting and hold.stage ~= 'running' then waiting[#waiting + 1] = hold end
    if hold ~= sitting and hold.stage == 'running' and not is_firm(hold) then running[#running + 1] = hold end
  end
  if sitting then make_way(record, sitting) end
  table.sort(running, function(a, b) return a.token < b.token end)
  for _, hold in ipairs(running) do waiting[#waiting + 1] = hold end
  for at = 1, math.min(#waiting, #rivals - (sitting and 1 or 0) - terms.limit + 1) do make_way(record, waiting[at]) end
end

local function seat(record, own)
  drop_call(record, id_of(ref))
  local hold = own or new_hold(ref, terms)
  if not own then
    -- A token is at least the microseconds of its grant.
    hold.acquiredAt = math.min(now, math.floor(token / 1000))
    add_hold(record, hold)
  end
  hold.set, hold.stage, hold.since = run_set(terms.mode), 'running', math.min(now, math.floor(token / 1000))
  hold.token, hold.owner, hold.worker, hold.barrier, hold.slot = token, owner, worker, barrier, slot
  hold.leaseMs, hold.lockDelayMs, hold.deliveries, hold.retries = lease_ms, lock_delay_ms, deliveries, retries
  hold.missedAt, hold.message = nil, nil
  hold.expiresAt = now + lease_ms
  hold.dueAt = hold.expiresAt + lock_delay_ms
  note_message(record, ref)
  redis.call('SET', tokens, text(math.max(tonumber(redis.call('GET', tokens)) or 0, token)))
  return { 'renewed', hold.expiresAt }
end

local function reclaim(record)
  local own = hold_of(record, ref)
  if find_outcome(record, ref) or ended_since(record, ref.messageId, token) then return ENDED end
  -- Given back, or granted anew, after this run.
  if own and own.token and own.token >= token then return ENDED end
  local rivals, firm = rivals_of(record, run_set(terms.mode), own), 0
  for _, hold in ipairs(rivals) do
    if is_firm(hold) then
      firm = firm + 1
      if hold.slot == slot then return { 'lost', 'taken' } end
    end
  end
  if firm >= terms.limit then return { 'lost', 'taken' } end
  make_room(record, rivals)
  return seat(record, own)
end

local function renew(record)
  local hold
  for _, each in ipairs(record.holders) do
    if each.messageId == ref.messageId and each.stage == 'running' then hold = hold or each end
  end
  if not hold or hold.token < token then return recover_until > now and reclaim(record) or ENDED end
  if hold.token > token then return { 'lost', 'taken' } end
  if hold.cancelledHow then return { 'lost', 'cancelled' } end
  if hold.expiresAt <= now then return ENDED end
  hold.leaseMs, hold.expiresAt = lease_ms, now + lease_ms
  hold.dueAt = hold.expiresAt + hold.lockDelayMs
  return { 'renewed', hold.expiresAt }
end

local record = load(ARGV[3])
outlive(record)
local answer = renew(record)
save(record)
return { now, answer }
`,
])
