import { COMMAND_MS, COMMANDS_KEPT } from '../../../src/lock/command.js'
import { defineScript } from '../script.js'
import { RECORD } from './record.js'

/**
 * Lua: an app's commands, in one shard: when each ends, by id; of each its text and instants, and by worker what it
 * answered, '' until it has. All of a command goes when it ends. Needs RECORD.
 */
const COMMANDS = `
local KEPT, KEPT_MS = ${COMMANDS_KEPT}, ${COMMAND_MS}
local open = base .. 'commands'

local function command_name(id) return base .. 'command:' .. id end
local function answers_name(id) return base .. 'answers:' .. id end

local function drop(id)
  redis.call('ZREM', open, id)
  redis.call('DEL', command_name(id))
  redis.call('DEL', answers_name(id))
end
`

/** One trip: keeps a command (id, text, ms, then the workers that it is for) and tells them. */
export const GIVE = defineScript('give_command_v1', [
  RECORD,
  COMMANDS,
  `
local id, ends = ARGV[3], now + numeric(5)
if redis.call('EXISTS', command_name(id)) == 0 then
  redis.call('ZREMRANGEBYSCORE', open, '-inf', text(now))
  redis.call('HSET', command_name(id), 'body', ARGV[4], 'at', text(now), 'ends', text(ends))
  for i = 6, #ARGV do redis.call('HSET', answers_name(id), ARGV[i], '') end
  redis.call('PEXPIREAT', command_name(id), text(ends))
  redis.call('PEXPIREAT', answers_name(id), text(ends))
  redis.call('ZADD', open, text(ends), id)
  for _, each in ipairs(redis.call('ZRANGE', open, 0, -(KEPT + 1))) do drop(each) end
  redis.call('PEXPIRE', open, KEPT_MS)
  redis.call('SADD', apps, app)
end
for i = 6, #ARGV do notify('command:' .. ARGV[i]) end
return now
`,
])

/** One trip, reads only: what a worker (ARGV[3]) was asked since (ARGV[4]) and has not answered. */
export const PENDING = defineScript('pending_commands_v1', [
  RECORD,
  COMMANDS,
  `
local found = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', open, '(' .. text(now), '+inf')) do
  if redis.call('HGET', answers_name(id), ARGV[3]) == '' then
    local command = redis.call('HMGET', command_name(id), 'body', 'at', 'ends')
    local at = tonumber(command[2])
    if at and at >= numeric(4) then found[#found + 1] = { id, command[1], at, tonumber(command[3]) - now } end
  end
end
return found
`,
])

/** One trip: keeps a worker's first answer (id, worker, text) and tells the asker. */
export const ANSWER = defineScript('answer_command_v1', [
  RECORD,
  COMMANDS,
  `
local answers = answers_name(ARGV[3])
local known = redis.call('HGET', answers, ARGV[4])
if not known then return 0 end
if known == '' then redis.call('HSET', answers, ARGV[4], ARGV[5]) end
notify('answer:' .. ARGV[3])
return 1
`,
])

/** One trip, reads only: what was answered to a command (ARGV[3]), but by the workers that follow. */
export const ANSWERS = defineScript('command_answers_v1', [
  RECORD,
  COMMANDS,
  `
local but, found = {}, {}
for i = 4, #ARGV do but[ARGV[i]] = true end
local answers = redis.call('HGETALL', answers_name(ARGV[3]))
for i = 1, #answers, 2 do
  if answers[i + 1] ~= '' and not but[answers[i]] then found[#found + 1] = { answers[i], answers[i + 1] } end
end
return found
`,
])

/** One trip: takes a command back. */
export const DROP = defineScript('drop_command_v1', [RECORD, COMMANDS, `drop(ARGV[3]) return now`])
