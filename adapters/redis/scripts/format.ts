import { defineScript } from '../script.js'

/** Answers the version, the oldest one that it serves, and the package, where a newer one is noted; else notes ours. */
export const FORMAT = defineScript('format_v1', [
  `
local found = redis.call('HMGET', KEYS[1], 'version', 'servesFrom', 'by')
local version = tonumber(found[1])
if version and version > tonumber(ARGV[1]) then return found end
-- Who may only read leaves it to others.
if not version or version < tonumber(ARGV[1]) then
  redis.pcall('HSET', KEYS[1], 'version', ARGV[1], 'servesFrom', ARGV[2], 'by', ARGV[3])
end
return {}
`,
])
