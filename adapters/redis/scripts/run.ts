import { defineScript } from '../script.js'
import { DISPLACE } from './displace.js'
import { EPOCH } from './epoch.js'
import { ALONE, CONTESTED } from './transition.js'

/** One trip: a delivered message asks to run. Only this step mints a token, above every one the shard ever gave. */
export const RUN = defineScript('run_v1', [
  ...ALONE,
  EPOCH,
  `
local ref = { messageId = ARGV[4], round = numeric(5) }
local terms = terms_at(6)
local owner, worker, barrier, slot = ARGV[15], ARGV[16], ARGV[17], numeric(18)
local lease_ms, lock_delay_ms, max_deliveries, published_at = numeric(19), numeric(20), numeric(21), numeric(22)
local when_held, min_run_ms, publish_lease_ms, result_ms = ARGV[23], numeric(24), numeric(25), numeric(26)

local function next_token()
  local token = math.max((tonumber(redis.call('GET', tokens)) or 0) + 1, micros)
  redis.call('SET', tokens, text(token))
  return token
end

local function granted(hold, promotion)
  return { 'granted', now, hold.token, hold.deliveries, hold.retries, hold.expiresAt, promotion }
end

local function take_seat(hold)
  hold.set = run_set(hold.terms.mode)
  hold.stage, hold.since, hold.token = 'running', now, next_token()
  hold.owner, hold.worker, hold.barrier, hold.slot = owner, worker, barrier, slot
  hold.leaseMs, hold.lockDelayMs = lease_ms, lock_delay_ms
  hold.expiresAt = now + lease_ms
  hold.dueAt = hold.expiresAt + lock_delay_ms
  hold.deliveries = hold.deliveries + 1
  hold.message = nil
end

local function is_early(hold) return hold.notBefore and hold.notBefore > now end

-- A message that nobody has heard of asks for a key that nobody holds: it gets its place here.
local function place_of_its_own(record)
  if record.known or not note_first(record, ref) then return nil end
  local hold = new_hold(ref, terms)
  add_hold(record, hold)
  return hold
end

local function quick_place(record)
  local hold = sole_hold(record, ref)
  if not hold then return place_of_its_own(record) end
  return not find_outcome(record, ref) and hold
end

-- Mostly the message has its key for itself, or comes first.
local record = load(ARGV[3])
local own = recover_until <= now and quick_place(record)
if own and own.stage ~= 'running' and not is_early(own) and own.deliveries < max_deliveries then
  take_seat(own)
  save(record)
  return granted(own, false)
end
`,
  ...CONTESTED,
  DISPLACE,
  `
local function refused(holder) return { 'refused', now, holder_reply(holder), remaining(holder) } end

-- A place among the waiting gives none among the running, and a place gives no particular slot.
local function without_seat(record, hold)
  local set = run_set(hold.terms.mode)
  if set == 'free' then return nil end
  local full = hold.set ~= set and blocker_of(record, set, hold.terms.limit, hold)
  if full then return refused(full) end
  local taken, other = {}, nil
  for _, each in ipairs(record.holders) do
    if each ~= hold and each.stage == 'running' and each.set ~= 'free' then
      taken[#taken + 1] = each.slot
      if each.slot == slot then other = other or each end
    end
  end
  if other then return { 'slotTaken', now, taken, holder_reply(other), remaining(other) } end
end

local function give_up(record, hold)
  remove_hold(record, hold)
  local ending = { messageId = ref.messageId, round = ref.round, outcome = 'failed', code = 'MAX_DELIVERIES',
    token = hold.token }
  local ended = record_outcome(record, ending, result_ms)
  settle(record, result_ms)
  return { 'ended', now, outcome_reply(ended), take_promotion(record, publish_lease_ms) }
end

local function start(record, hold)
  if is_early(hold) then return { 'early', now, hold.notBefore - now } end
  if hold.deliveries >= max_deliveries then return give_up(record, hold) end
  local no_seat = without_seat(record, hold)
  if no_seat then return no_seat end
  if recover_until > now then return { 'recovering', now, recover_until - now } end
  local before = hold.set
  take_seat(hold)
  if hold.set == before then return granted(hold, false) end
  settle(record, result_ms)
  return granted(hold, take_promotion(record, publish_lease_ms))
end

-- The same attempt asks again while its lease lives, or a redelivery came while the first lease lives.
local function again(record, own)
  if own.owner == owner and own.expiresAt > now then return granted(own, false) end
  if own.expiresAt + own.lockDelayMs > now or own.cancelledHow then return refused(own) end
  return start(record, own)
end

local function own_place(record)
  local ended = find_outcome(record, ref)
  if ended then return { 'finished', now, outcome_reply(ended) } end
  local own = hold_of(record, ref)
  if own and own.stage == 'running' then return again(record, own) end
  if own then return start(record, own) end
end

-- Without a place of its own a message needs one as at publish, and one among the running. None: it may start.
local function in_the_way(record)
  local entering = rivals_of(record, entry_set(terms.mode))
  if #entering >= terms.limit then return entering end
  local running = rivals_of(record, run_set(terms.mode))
  return #running >= terms.limit and running or {}
end

-- A publisher may still fail: what it is about to publish covers nobody. Nor does a run that has ended, or must.
local function covers(hold)
  if hold.stage == 'publishing' or hold.stage == 'cooling' or hold.cancelledHow then return false end
  return hold.stage ~= 'running' or hold.since > published_at
end

-- How the message ends behind its rivals; nil: it waits.
local function ending_behind(record, rivals)
  -- Asked for again by its id after it lost its hold, it is parked: it waits for its turn there, under one name.
  if is_parked(record, id_of(ref)) then return nil end
  if when_held == 'skip' then return 'skipped', rivals[1].messageId end
  if when_held ~= 'coalesce' then return nil end
  for _, hold in ipairs(rivals) do
    if covers(hold) then return 'coalesced', hold.messageId end
  end
end

local function without_hold(record, rivals)
  local outcome, into = ending_behind(record, rivals)
  if not outcome then return refused(rivals[1]) end
  local ending = { messageId = ref.messageId, round = ref.round, outcome = outcome, into = into }
  return { 'ended', now, outcome_reply(record_outcome(record, ending, result_ms)), false }
end

-- The seat is looked at before the place is taken: a message that is refused here leaves no trace.
local function start_anew(record)
  local hold = new_hold(ref, terms)
  local no_seat = without_seat(record, hold)
  if no_seat then return no_seat end
  local recovers = recover_until > now
  if recovers and terms.mode == 'whileExecuting' then return { 'recovering', now, recover_until - now } end
  drop_call(record, id_of(ref))
  add_hold(record, hold)
  note_message(record, ref)
  -- The message is the proof that it had a place.
  if recovers then enqueue(hold) end
  return start(record, hold)
end

local function advance(record)
  -- Its own place comes before settling: a queued hold that just ran out is not lost to a delivery that is here now.
  local known = own_place(record)
  if known then return known end
  local parked = record.parked
  settle(record, result_ms)
  -- Settling may have given a parked call of this very message its turn, or ended it.
  local settled = record.parked < parked and own_place(record)
  if settled then return settled end
  if when_held == 'replace' then displace(record, in_the_way(record), ref.messageId, min_run_ms, result_ms) end
  local rivals = in_the_way(record)
  if #rivals > 0 then return without_hold(record, rivals) end
  return start_anew(record)
end

outlive(record)
local answer = advance(record)
save(record)
return answer
`,
])
