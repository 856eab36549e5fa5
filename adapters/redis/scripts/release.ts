import { defineScript } from '../script.js'
import { EPOCH } from './epoch.js'
import { ALONE, CONTESTED } from './transition.js'

/** One trip: ends a message, writes its outcome and pops the next parked call. */
export const RELEASE = defineScript('release_v1', [
  ...ALONE,
  `
local ref = { messageId = ARGV[4], round = numeric(5), token = numeric(6), outcome = ARGV[7], code = textual(8),
  result = textual(9), error = textual(10) }
local publish_lease_ms, result_ms = numeric(11), numeric(12)

local function may_end(hold)
  if ref.token then return hold.stage == 'running' and hold.token == ref.token end
  return hold.stage ~= 'running'
end

local function stays(hold) return hold.terms.mode == 'untilExpired' and hold.stage == 'running' end

-- Mostly the message has its key for itself and was not told to stop.
local record = load(ARGV[3])
local own = sole_hold(record, ref)
if own and may_end(own) and not own.cancelledHow and not stays(own) and not find_outcome(record, ref) then
  local written = write_outcome(record, ref, result_ms)
  drop_index(record)
  return { 'released', now, outcome_reply(written), false }
end
`,
  ...CONTESTED,
  EPOCH,
  `
-- Its hold went with the data, or is what it was before this run, or a redelivery's: the run that ended says so itself, as
-- long as no later one is known of. One that was given back after this run has its token.
local function is_lost(record, hold)
  if not ref.token or recover_until <= now or hold and (hold.token or 0) >= ref.token then return false end
  local later, most = 0, 0
  for _, each in ipairs(record.holders) do
    if each.stage == 'running' and each.token > ref.token then
      later, most = later + 1, math.max(most, each.terms.limit)
    end
  end
  return not (later > 0 and later >= most) and not ended_since(record, ref.messageId, ref.token)
end

-- The reply of the first time was lost: the same run hears the same answer, and the promotion is offered again.
local function repeated(record, ended)
  if ended.token ~= ref.token then return { 'finished', now, outcome_reply(ended) } end
  return { 'released', now, outcome_reply(ended), offered_promotion(record), 1 }
end

-- A run of mode untilExpired that came to its own end leaves the key cooling.
local function let_go(record, hold)
  if stays(hold) and not hold.cancelledHow then cool(record, hold) else remove_hold(record, hold) end
end

local function release(record)
  local ended = find_outcome(record, ref)
  if ended then return repeated(record, ended) end
  local hold = hold_of(record, ref)
  -- Before it runs a message may also be parked, or known to nobody.
  local stale = hold and not may_end(hold) or ref.token and not hold
  if stale and not is_lost(record, hold) then return { 'stale', now } end
  if stale and hold then
    remove_hold(record, hold)
    hold = nil
  end
  local written = record_outcome(record, hold and cancelled_ending(hold) or ref, result_ms)
  -- A parked call is ended by id as well.
  if hold then let_go(record, hold) else drop_call(record, id_of(ref)) end
  settle(record, result_ms)
  return { 'released', now, outcome_reply(written), take_promotion(record, publish_lease_ms) }
end

local answer = release(record)
save(record)
return answer
`,
])
