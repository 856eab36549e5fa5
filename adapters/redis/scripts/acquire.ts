import { defineScript } from '../script.js'
import { DISPLACE } from './displace.js'
import { HOLD } from './hold.js'
import { MESSAGE } from './message.js'
import { OUTCOME } from './outcome.js'
import { RECORD } from './record.js'
import { CONTESTED } from './transition.js'

/** One trip: a caller is about to publish a message and asks for its key. */
export const ACQUIRE = defineScript('acquire_v1', [
  RECORD,
  HOLD,
  MESSAGE,
  `
local ref = { messageId = ARGV[4], round = numeric(5) }
local terms = terms_at(6)
local when_held, capacity, keep, min_run_ms = ARGV[15], numeric(16), ARGV[17], numeric(18)
local publish_lease_ms, message, result_ms = numeric(19), ARGV[20], numeric(21)

local function grant(record)
  local hold = new_hold(ref, terms)
  hold.expiresAt, hold.dueAt = now + publish_lease_ms, now + publish_lease_ms
  add_hold(record, hold)
  return { 'granted', now }
end

-- Mostly nobody holds the key and nobody asked before.
local record = load(ARGV[3])
if not record.known and note_first(record, ref) then
  local answer = grant(record)
  save(record)
  return answer
end
`,
  OUTCOME,
  ...CONTESTED,
  DISPLACE,
  `
local id, set = id_of(ref), entry_set(terms.mode)

-- As many holders as the asker allows, or a parked call that must not be overtaken.
local function is_held(record) return record.parked > 0 or blocker_of(record, set, terms.limit) ~= nil end

-- The first that is in the way; where only parked calls are, the first they wait for.
local function holder_named(record) return rivals_of(record, set)[1] or rivals_of(record, 'all')[1] end

-- The same message asking again gets what it got.
local function known(record)
  local ended, behind = find_outcome(record, ref), holder_named(record)
  if ended and ended.outcome == 'coalesced' and not ended.token and ended.into and behind then
    return { 'coalesced', now, ended.into, holder_reply(behind) }
  end
  if ended then return { 'finished', now, outcome_reply(ended) } end
  local hold = hold_of(record, ref)
  if hold and hold.stage == 'publishing' then
    hold.expiresAt, hold.dueAt = now + publish_lease_ms, now + publish_lease_ms
    return { 'granted', now }
  end
  if hold then return { 'repeated', now, hold.stage } end
  if behind and is_parked(record, id) then return { 'parked', now, holder_reply(behind) } end
end

local function refuse(record, full)
  local hold, doubt = holder_named(record), false
  for _, rival in ipairs(rivals_of(record, set)) do doubt = doubt or doubt_of(rival) end
  return { 'refused', now, holder_reply(hold), remaining(hold), doubt, full }
end

local function park(record)
  push_call(record, { messageId = ref.messageId, round = ref.round, terms = terms }, message)
end

-- The last parked call covers this one; with 'latest' it keeps its id and place and takes the newer call's text.
local function coalesce(record)
  local last = parked_id(record, -1)
  local into = parts_of(last).messageId
  if keep == 'latest' then
    local call = read_call(record, last)
    call.terms = terms
    write_call(record, call, message)
  end
  local ending = { messageId = ref.messageId, round = ref.round, outcome = 'coalesced', into = into, keepMs = ACKED_MS }
  record_outcome(record, ending, result_ms)
  return { 'coalesced', now, into, holder_reply(holder_named(record)) }
end

local function grant_known(record)
  note_message(record, ref)
  return grant(record)
end

-- At most one waits: the last parked call gives its place to the newcomer.
local function end_waiting(record)
  if record.parked == 0 then return nil end
  local last = parked_id(record, -1)
  local waiting = parts_of(last)
  drop_call(record, last)
  record_as(record, waiting, 'replaced', result_ms, ref.messageId)
  return waiting.messageId
end

local function replace(record)
  local behind, rivals, replaced = holder_reply(holder_named(record)), rivals_of(record, set), {}
  if #rivals >= terms.limit then replaced[1] = displace(record, rivals, ref.messageId, min_run_ms, result_ms) end
  replaced[#replaced + 1] = end_waiting(record)
  if not is_held(record) then
    grant_known(record)
    return { 'granted', now, replaced }
  end
  park(record)
  settle(record, result_ms)
  return { 'parked', now, behind, replaced }
end

local function held(record)
  if when_held == 'replace' then return replace(record) end
  if when_held ~= 'park' then return refuse(record, 0) end
  if record.parked < capacity then
    park(record)
    return { 'parked', now, holder_reply(holder_named(record)) }
  end
  if keep == 'all' then return refuse(record, 1) end
  return coalesce(record)
end

settle(record, result_ms)
local answer = known(record)
if not answer then answer = is_held(record) and held(record) or grant_known(record) end
save(record)
return answer
`,
])
