/** Lua: one hold, as src/lock/record.ts and mode.ts have it. Needs RECORD. */
export const HOLD = `
local function terms_at(i)
  return { task = ARGV[i], label = ARGV[i + 1], queue = ARGV[i + 2], limit = numeric(i + 3), mode = ARGV[i + 4],
    timeoutMs = numeric(i + 5), guarded = ARGV[i + 6] == '1', notBefore = numeric(i + 7), expiresAt = numeric(i + 8) }
end

local function entry_set(mode)
  if mode == 'untilAndWhileExecuting' then return 'waiting' end
  return mode == 'whileExecuting' and 'running' or 'all'
end

local function run_set(mode)
  if mode == 'untilExecuting' then return 'free' end
  return (mode == 'untilExecuted' or mode == 'untilExpired') and 'all' or 'running'
end

-- A cooling hold has no message any more: that one has ended.
local function is_of(hold, ref)
  return hold.messageId == ref.messageId and hold.round == ref.round and hold.stage ~= 'cooling'
end

local function hold_of(record, ref)
  for _, hold in ipairs(record.holders) do
    if is_of(hold, ref) then return hold end
  end
end

-- The hold of a message that has its key for itself: nobody beside it, nobody behind it.
local function sole_hold(record, ref)
  local hold = record.holders[1]
  if hold and not record.holders[2] and record.parked == 0 and is_of(hold, ref) then return hold end
end

local function new_hold(ref, terms)
  return { messageId = ref.messageId, round = ref.round, terms = terms, set = entry_set(terms.mode),
    stage = 'publishing', expiresAt = now, dueAt = now, acquiredAt = now, since = now, notBefore = terms.notBefore,
    deliveries = 0, retries = 0, leaseMs = 0, lockDelayMs = 0 }
end

local function add_hold(record, hold)
  local last = record.holders[#record.holders]
  hold.place = last and last.place + 1 or 1
  record.holders[#record.holders + 1] = hold
end

local function enter(hold, stage, ends)
  hold.stage, hold.since, hold.expiresAt, hold.dueAt = stage, now, ends, ends
  hold.owner, hold.worker, hold.barrier, hold.slot, hold.missedAt, hold.message = nil, nil, nil, nil, nil, nil
end

local function enqueue(hold)
  local ends, worthless_at = math.max(now, hold.notBefore or now) + hold.terms.timeoutMs, hold.terms.expiresAt
  if worthless_at then ends = math.min(ends, math.max(now, worthless_at)) end
  enter(hold, 'queued', ends)
end
`
