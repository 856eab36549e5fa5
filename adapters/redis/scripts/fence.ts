import { defineScript } from '../script.js'

/**
 * KEYS: the fences, then the key of each command. ARGV: token, ms until an unused fence is forgotten or 0, number of
 * fences; then per command how many arguments it has beside its key, its name, and these. All fences are looked at and
 * raised before anything is written: a command that fails leaves none lower than what stands.
 */
export const FENCED_WRITE = defineScript('fenced_write_v1', [
  `
local token, ttl, fences = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
for i = 1, fences do
  local highest = redis.call('get', KEYS[i])
  if highest and tonumber(highest) > tonumber(token) then return {0, highest} end
end
for i = 1, fences do
  if ttl > 0 then redis.call('set', KEYS[i], token, 'px', ttl) else redis.call('set', KEYS[i], token) end
end
local replies, at = {}, 4
for i = fences + 1, #KEYS do
  local count = tonumber(ARGV[at])
  replies[#replies + 1] = redis.call(ARGV[at + 1], KEYS[i], unpack(ARGV, at + 2, at + 1 + count))
  at = at + 2 + count
end
return {1, replies}
`,
])
