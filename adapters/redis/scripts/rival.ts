/** Lua: holds beside each other: whom they keep out, what is told of them, how they go. Needs RECORD and HOLD. */
export const RIVAL = `
local function are_rivals(one, other)
  if one == 'free' or other == 'free' then return false end
  return one == 'all' or other == 'all' or one == other
end

-- The holds that count against one in this set, the first granted first.
local function rivals_of(record, set, but)
  local rivals = {}
  for _, hold in ipairs(record.holders) do
    if hold ~= but and are_rivals(hold.set, set) then rivals[#rivals + 1] = hold end
  end
  return rivals
end

-- The first of the holds in the way, if there are as many as the asker allows.
local function blocker_of(record, set, limit, but)
  local rivals = rivals_of(record, set, but)
  return #rivals >= limit and rivals[1] or nil
end

local function any_hold_of(record, message_id)
  for _, hold in ipairs(record.holders) do
    if hold.messageId == message_id and hold.stage ~= 'cooling' then return hold end
  end
end

local function remove_hold(record, hold)
  for at, each in ipairs(record.holders) do
    if each == hold then table.remove(record.holders, at) break end
  end
  if not hold.stored then return end
  record.gone = record.gone or {}
  record.gone[#record.gone + 1] = hold
end

local function holder_reply(hold)
  local token = hold.stage == 'running' and hold.token
  return { hold.messageId, hold.stage, hold.worker or false, hold.since, token or false }
end

local function remaining(hold)
  local ends = hold.expiresAt
  if hold.stage == 'running' then ends = ends + hold.lockDelayMs end
  return math.max(0, ends - now)
end

-- Tells a running hold to stop; it keeps its place until it has. The first who asked is remembered.
local function cancel(hold, how, by)
  notify('worker:' .. hold.worker)
  if hold.cancelledHow then return end
  hold.cancelledHow, hold.cancelledBy = how, by
end

-- How a message ends whose run was told to stop, whatever that run came to.
local function cancelled_ending(hold)
  if not hold.cancelledHow then return nil end
  return { messageId = hold.messageId, round = hold.round, token = hold.token, outcome = hold.cancelledHow,
    code = string.upper(hold.cancelledHow), into = hold.cancelledHow == 'replaced' and hold.cancelledBy or nil }
end

-- After a run of mode untilExpired: keeps the key until its grant + timeout, for nobody.
local function cool(record, hold)
  local ends = hold.acquiredAt + hold.terms.timeoutMs
  if ends <= now then return remove_hold(record, hold) end
  enter(hold, 'cooling', ends)
  hold.token = nil
end

-- What of a hold only the engine can tell, once its time is over: {messageId, round, stage, token, queue}.
local function doubt_of(hold)
  local over = (hold.stage == 'publishing' and hold.expiresAt <= now)
    or (hold.stage == 'running' and hold.expiresAt + hold.lockDelayMs <= now)
  if not over then return false end
  return { hold.messageId, hold.round, hold.stage, hold.token or false, hold.terms.queue }
end
`
