import { defineScript } from '../script.js'
import { MESSAGE } from './message.js'
import { OUTCOME } from './outcome.js'
import { RECORD } from './record.js'

/**
 * One trip a batch: prolongs running leases (key, message id, token, lease each), then notes acknowledged messages
 * (key, message id, round each). ARGV[3] counts the leases.
 */
export const RENEW = defineScript('renew_v1', [
  RECORD,
  MESSAGE,
  OUTCOME,
  `
local function renew(record, message_id, token, lease_ms)
  local hold
  for _, each in ipairs(record.holders) do
    if each.messageId == message_id and each.stage == 'running' then hold = each break end
  end
  if not hold or not hold.token or hold.token < token then return { 'lost', 'ended' } end
  if hold.token > token then return { 'lost', 'taken' } end
  if hold.cancelledHow then return { 'lost', 'cancelled' } end
  if hold.expiresAt <= now then return { 'lost', 'ended' } end
  hold.leaseMs, hold.expiresAt = lease_ms, now + lease_ms
  hold.dueAt = hold.expiresAt + hold.lockDelayMs
  save(record)
  return { 'renewed', hold.expiresAt }
end

-- The outcome stays for repeats under way, its result for readers.
local function acknowledge(key, message_id, round)
  local ended = find_outcome({ key = key }, { messageId = message_id, round = round })
  if not ended then return end
  local keep_until = math.max(now + ACKED_MS, ended.resultUntil)
  if keep_until >= ended.keepUntil then return end
  ended.keepUntil = keep_until
  local note = note_of(message_id)
  -- In flight in another round it is kept for that.
  if note.key ~= key or note.round ~= round then return write_note(message_id, 'KEEPTTL') end
  write_note(message_id, 'PX', lifetime(note))
end

local answers = { now }
local last = 3 + 4 * numeric(3)
for i = 4, last, 4 do
  answers[#answers + 1] = renew(load(ARGV[i]), ARGV[i + 1], numeric(i + 2), numeric(i + 3))
end
for i = last + 1, #ARGV, 3 do acknowledge(ARGV[i], ARGV[i + 1], numeric(i + 2)) end
return answers
`,
])
