/**
 * Lua: how messages ended. The outcomes of a message's rounds are one MessagePack list whose PX is the longest time any
 * of them is kept, written in the step that ends the message; the key's last twenty are listed for operators.
 * Needs RECORD.
 */
export const OUTCOME = `
local UNACKED_MS, ACKED_MS, LISTED = 604800000, 600000, 20

local function outcome_name(record, message_id) return base .. 'outcome:' .. record.key .. ':' .. message_id end
local function outcomes_name(record) return base .. 'outcomes:' .. record.key end

local function outcomes_of(record, message_id)
  local rounds = record.ended[message_id]
  if rounds then return rounds end
  local stored = redis.call('GET', outcome_name(record, message_id))
  rounds = stored and cmsgpack.unpack(stored) or {}
  for at = #rounds, 1, -1 do
    if rounds[at].keepUntil <= now then table.remove(rounds, at) end
  end
  record.ended[message_id] = rounds
  return rounds
end

local function find_outcome(record, ref)
  for _, ended in ipairs(outcomes_of(record, ref.messageId)) do
    if ended.round == ref.round then return ended end
  end
end

local function latest_outcome(record, message_id)
  local latest
  for _, ended in ipairs(outcomes_of(record, message_id)) do
    if not latest or ended.round > latest.round then latest = ended end
  end
  return latest
end

local function lifetime(rounds)
  local last = 0
  for _, ended in ipairs(rounds) do last = math.max(last, ended.keepUntil) end
  return last - now
end

-- Answers how long they are kept from now.
local function store_outcomes(record, message_id)
  local rounds = outcomes_of(record, message_id)
  local keep = text(lifetime(rounds))
  redis.call('SET', outcome_name(record, message_id), cmsgpack.pack(rounds), 'PX', keep)
  return keep
end

local function write_outcome(record, ending, result_ms)
  local keep_ms = math.max(ending.keepMs or UNACKED_MS, result_ms)
  local written = { v = 1, messageId = ending.messageId, round = ending.round, outcome = ending.outcome,
    token = ending.token, result = ending.result, code = ending.code, error = ending.error, into = ending.into,
    at = now, keepUntil = now + keep_ms, resultUntil = now + result_ms }
  local rounds = outcomes_of(record, ending.messageId)
  rounds[#rounds + 1] = written
  local keep, id, listed = store_outcomes(record, ending.messageId), id_of(ending), outcomes_name(record)
  if redis.call('LPUSH', listed, id) > LISTED then redis.call('LTRIM', listed, 0, LISTED - 1) end
  redis.call('PEXPIRE', listed, text(math.max(UNACKED_MS, result_ms)))
  redis.call('SET', message_name(ending.messageId), text(ending.round) .. ':' .. record.key, 'PX', keep)
  return written
end

-- The first writer wins; the outcome in force is answered.
local function record_outcome(record, ending, result_ms)
  return find_outcome(record, ending) or write_outcome(record, ending, result_ms)
end

local function record_as(record, of, outcome, result_ms, into)
  local ending = { messageId = of.messageId, round = of.round, outcome = outcome, code = string.upper(outcome),
    into = into }
  return record_outcome(record, ending, result_ms)
end

local function outcome_reply(of)
  return { of.messageId, of.round, of.outcome, of.token or false, of.result or false, of.code or false,
    of.error or false, of.into or false, of.at }
end
`
