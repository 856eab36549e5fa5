import { DEAD_LETTER_BYTES, DEAD_LETTER_MS, DEAD_LETTERS_KEPT } from '../../../src/lock/dead-letter.js'
import { defineScript } from '../script.js'
import { RECORD } from './record.js'

/**
 * Lua: an app's dead letters, in one shard: their order, each as a MessagePack map, their messages apart since lists do
 * not need them, and by id which round was removed. All goes a week after the last letter. Needs RECORD.
 */
const LETTERS = `
local KEPT, KEPT_BYTES, KEPT_MS = ${DEAD_LETTERS_KEPT}, ${DEAD_LETTER_BYTES}, ${DEAD_LETTER_MS}
local order, letters, messages = base .. 'dead:order', base .. 'dead:letters', base .. 'dead:messages'

local function removed_name(id) return base .. 'dead:removed:' .. id end

local function drop(id)
  redis.call('ZREM', order, id)
  redis.call('HDEL', letters, id)
  redis.call('HDEL', messages, id)
end

local function forget()
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', order, '-inf', text(now - KEPT_MS))) do drop(id) end
end

local function find(id)
  local at = tonumber(redis.call('ZSCORE', order, id) or '')
  if not at or at + KEPT_MS <= now then return nil end
  return cmsgpack.unpack(redis.call('HGET', letters, id))
end

local function letter_reply(letter)
  return { letter.key, letter.messageId, letter.round, letter.task, letter.label, letter.queue, letter.code, letter.at }
end
`

/** One trip: keeps a message that was given up, unless this round was removed or a later one is here. */
export const BURY = defineScript('bury_v1', [
  RECORD,
  LETTERS,
  `
local letter = { v = 1, key = ARGV[3], messageId = ARGV[4], round = numeric(5), task = ARGV[6], label = ARGV[7],
  queue = ARGV[8], code = ARGV[9], at = now }
local id, message = letter.messageId, ARGV[10]

local function bury()
  local removed, known = tonumber(redis.call('GET', removed_name(id)) or '-1'), find(id)
  if letter.round <= removed then return false end
  if known and letter.round <= known.round then return letter.round == known.round end
  redis.call('DEL', removed_name(id))
  redis.call('ZADD', order, text(now), id)
  redis.call('HSET', letters, id, cmsgpack.pack(letter))
  redis.call('HSET', messages, id, message)
  local bytes = 0
  for at, each in ipairs(redis.call('ZREVRANGE', order, 0, -1)) do
    bytes = bytes + redis.call('HSTRLEN', messages, each)
    if at > KEPT or bytes > KEPT_BYTES then drop(each) end
  end
  for _, name in ipairs({ order, letters, messages }) do redis.call('PEXPIRE', name, KEPT_MS) end
  redis.call('SADD', apps, app)
  return redis.call('ZSCORE', order, id) and true
end

forget()
return { bury() and 1 or 0, now }
`,
])

/** One trip, reads only: all letters, the newest first. */
export const LETTERS_OF = defineScript('dead_letters_v1', [
  RECORD,
  LETTERS,
  `
local found = {}
for at, id in ipairs(redis.call('ZREVRANGEBYSCORE', order, '+inf', '(' .. text(now - KEPT_MS))) do
  found[at] = letter_reply(cmsgpack.unpack(redis.call('HGET', letters, id)))
end
return found
`,
])

/** One trip, reads only: one letter and its message. */
export const LETTER = defineScript('dead_letter_v1', [
  RECORD,
  LETTERS,
  `
local letter = find(ARGV[3])
return letter and { letter_reply(letter), redis.call('HGET', messages, ARGV[3]) } or false
`,
])

/** One trip: takes this round away, and remembers that. */
export const REMOVE = defineScript('remove_dead_letter_v1', [
  RECORD,
  LETTERS,
  `
local id, round = ARGV[3], numeric(4)
forget()
local letter = find(id)
if not letter or letter.round ~= round then
  return { tonumber(redis.call('GET', removed_name(id)) or '-1') == round and 1 or 0, now }
end
drop(id)
redis.call('SET', removed_name(id), text(round), 'PX', KEPT_MS)
return { 1, now }
`,
])
