/**
 * Lua: how messages ended. An outcome is kept with its message, written in the step that ends it; the key's last twenty
 * are listed for operators. Needs RECORD and MESSAGE.
 */
export const OUTCOME = `
local UNACKED_MS, ACKED_MS, LISTED = 604800000, 600000, 20

local function outcomes_name(record) return base .. 'outcomes:' .. record.key end

local function find_outcome(record, ref)
  for _, ended in ipairs(note_of(ref.messageId).endings) do
    if ended.round == ref.round and ended.key == record.key then return ended end
  end
end

local function write_outcome(record, ending, result_ms)
  local keep_ms = math.max(ending.keepMs or UNACKED_MS, result_ms)
  local written = { key = record.key, messageId = ending.messageId, round = ending.round, outcome = ending.outcome,
    token = ending.token, result = ending.result, code = ending.code, error = ending.error, into = ending.into,
    at = now, keepUntil = now + keep_ms, resultUntil = now + result_ms }
  local note, listed = note_of(ending.messageId), outcomes_name(record)
  note.key, note.round = record.key, ending.round
  note.endings[#note.endings + 1] = written
  write_note(ending.messageId, 'PX', lifetime(note))
  if redis.call('LPUSH', listed, id_of(ending)) > LISTED then
    redis.call('LTRIM', listed, 0, LISTED - 1)
  end
  redis.call('PEXPIRE', listed, math.max(UNACKED_MS, result_ms))
  notify('message:' .. ending.messageId)
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

local function latest_outcome(record, message_id)
  local latest
  for _, ended in ipairs(note_of(message_id).endings) do
    if ended.key == record.key and (not latest or ended.round > latest.round) then latest = ended end
  end
  return latest
end

local function outcome_reply(of)
  return { of.messageId, of.round, of.outcome, of.token or false, of.result or false, of.code or false,
    of.error or false, of.into or false, of.at }
end
`
