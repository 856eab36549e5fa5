/**
 * Lua: what every transition begins or ends with. Ends what waited or cooled long enough, gives free places to parked
 * calls in order, hands out a promotion. Needs RECORD, HOLD, RIVAL, PARKED, OUTCOME and HISTORY.
 */
export const SETTLE = `
local function worthless(terms) return terms.expiresAt and terms.expiresAt <= now end

local function is_over(hold)
  if hold.stage == 'promoting' then return worthless(hold.terms) end
  return (hold.stage == 'queued' or hold.stage == 'cooling') and hold.expiresAt <= now
end

local function end_over(record, hold, result_ms)
  remove_hold(record, hold)
  if hold.stage == 'queued' then remember(record, 'lapsed', hold) end
  if hold.stage == 'promoting' then record_as(record, hold, 'expired', result_ms) end
end

-- Each turn takes one parked call away or is the last.
local function promote(record, result_ms)
  while record.parked > 0 do
    local id = parked_id(record, 0)
    local call = read_call(record, id)
    if blocker_of(record, entry_set(call.terms.mode), call.terms.limit) then return end
    local message = read_message(record, id)
    drop_call(record, id)
    if worthless(call.terms) then
      record_as(record, call, 'expired', result_ms)
    else
      local hold = new_hold(call, call.terms)
      hold.stage, hold.message = 'promoting', message
      add_hold(record, hold)
      notify('message:' .. hold.messageId)
      record.turned = true
    end
  end
end

local function settle(record, result_ms)
  local over
  for _, hold in ipairs(record.holders) do
    if is_over(hold) then
      over = over or {}
      over[#over + 1] = hold
    end
  end
  for _, hold in ipairs(over or {}) do end_over(record, hold, result_ms) end
  promote(record, result_ms)
end

local function promotion_reply(hold) return { hold.messageId, hold.round, hold.message } end

-- Moves its next look on, so that no two hands publish it at once.
local function promotion_of(hold, publish_lease_ms)
  if hold.stage ~= 'promoting' or hold.dueAt > now or not hold.message then return false end
  hold.dueAt = now + math.max(1, publish_lease_ms)
  return promotion_reply(hold)
end

local function take_promotion(record, publish_lease_ms)
  for _, hold in ipairs(record.holders) do
    local promotion = promotion_of(hold, publish_lease_ms)
    if promotion then return promotion end
  end
  return false
end

-- The promotion of a lost reply, once more: to whoever asks again, though it was handed out.
local function offered_promotion(record)
  for _, hold in ipairs(record.holders) do
    if hold.stage == 'promoting' and hold.message then return promotion_reply(hold) end
  end
  return false
end
`
