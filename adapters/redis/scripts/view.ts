import { defineScript } from '../script.js'
import { HISTORY } from './history.js'
import { HOLD } from './hold.js'
import { MESSAGE } from './message.js'
import { OUTCOME } from './outcome.js'
import { PARKED } from './parked.js'
import { RECORD } from './record.js'
import { RIVAL } from './rival.js'

/** Lua: the holders of a record as rows. Needs RECORD. */
const ROWS = `
local function rows_reply(record)
  local rows = {}
  for at, hold in ipairs(record.holders) do
    local terms, token = hold.terms, hold.stage == 'running' and hold.token
    rows[at] = { terms.task, terms.label, hold.stage, hold.messageId, token or false, hold.worker or false,
      terms.queue, hold.barrier or false, hold.acquiredAt, hold.expiresAt, hold.cancelledBy or false,
      hold.cancelledHow or false, terms.limit, hold.round }
  end
  return rows
end
`

/** One trip, reads only: a page of one shard's listed keys in the order of their bytes, within ARGV[3] … ARGV[4]. */
export const PAGE = defineScript('page_v1', [
  RECORD,
  ROWS,
  `
local page = { now }
for _, key in ipairs(redis.call('ZRANGEBYLEX', index, ARGV[3], ARGV[4], 'LIMIT', 0, ARGV[5])) do
  local record = load(key)
  page[#page + 1] = { key, record.parked, rows_reply(record) }
end
return page
`,
])

/** One trip, reads only: all about one key. */
export const SHOW = defineScript('show_v1', [
  RECORD,
  HOLD,
  MESSAGE,
  OUTCOME,
  RIVAL,
  PARKED,
  HISTORY,
  ROWS,
  `
local record = load(ARGV[3])
local parked, outcomes, history = {}, {}, {}
for at, id in ipairs(parked_ids(record)) do
  local call = read_call(record, id)
  parked[at] = { call.messageId, call.since, call.terms.expiresAt or false }
end
for _, id in ipairs(redis.call('LRANGE', outcomes_name(record), 0, LISTED - 1)) do
  local ended = find_outcome(record, parts_of(id))
  if ended then outcomes[#outcomes + 1] = outcome_reply(ended) end
end
for _, packed in ipairs(redis.call('LRANGE', history_name(record), 0, REMEMBERED - 1)) do
  local event = cmsgpack.unpack(packed)
  if event.at + HISTORY_MS > now then
    history[#history + 1] = { event.at, event.event, event.messageId, event.by or false }
  end
end
return { now, rows_reply(record), parked, outcomes, history }
`,
])

/** One trip (on all shards at once where the key is not known), reads only: what is known about one message. */
export const FIND = defineScript('find_v1', [
  RECORD,
  HOLD,
  MESSAGE,
  OUTCOME,
  RIVAL,
  PARKED,
  `
local message_id, key = ARGV[3], textual(4)
local note = note_of(message_id)
key = key or note.key
if not key then return { now, false, false, false, 0 } end

-- Mostly the round that was noted last; to look for another costs the length of the list.
local function is_waiting(record)
  if note.round and is_parked(record, id_of({ messageId = message_id, round = note.round })) then return true end
  return any_call_of(record, message_id) ~= nil
end

local record = load(key)
local hold = any_hold_of(record, message_id)
local parked = is_waiting(record) and 1 or 0
if hold then return { now, key, false, { hold.stage, hold.retries, hold.worker or false }, parked } end
if parked == 1 then return { now, key, false, false, 1 } end
local ended = latest_outcome(record, message_id)
if ended then return { now, key, not ended.reopened and outcome_reply(ended), false, 0 } end
return { now, false, false, false, 0 }
`,
])
