import { defineScript } from '../script.js'
import { TRANSITION } from './transition.js'

/** One trip: ends a message, writes its outcome and pops the next parked call. */
export const RELEASE = defineScript('release_v1', [
  ...TRANSITION,
  `
local ref = { messageId = ARGV[4], round = numeric(5), token = numeric(6), outcome = ARGV[7], code = textual(8),
  result = textual(9), error = textual(10) }
local publish_lease_ms, result_ms = numeric(11), numeric(12)

-- The reply of the first time was lost: the same run hears the same answer, and the promotion is offered again.
local function repeated(record, ended)
  if ended.token ~= ref.token then return { 'finished', now, outcome_reply(ended) } end
  return { 'released', now, outcome_reply(ended), offered_promotion(record) }
end

-- A run of mode untilExpired that came to its own end leaves the key cooling.
local function let_go(record, hold)
  if hold.terms.mode == 'untilExpired' and hold.stage == 'running' and not hold.cancelledHow then
    cool(record, hold)
  else
    remove_hold(record, hold)
  end
end

local function release(record)
  local ended = find_outcome(record, ref)
  if ended then return repeated(record, ended) end
  local hold = hold_of(record, ref)
  local runs = hold and hold.stage == 'running'
  if ref.token and (not runs or hold.token ~= ref.token) then return { 'stale', now } end
  if not ref.token and runs then return { 'stale', now } end
  local written = record_outcome(record, hold and cancelled_ending(hold) or ref, result_ms)
  -- A parked call is ended by id as well.
  if hold then let_go(record, hold) else drop_call(record, id_of(ref)) end
  settle(record, result_ms)
  return { 'released', now, outcome_reply(written), take_promotion(record, publish_lease_ms) }
end

local record = load(ARGV[3])
local answer = release(record)
save(record)
return answer
`,
])
