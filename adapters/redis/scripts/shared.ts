import { SHARED_REQUEST_MS } from '../../../src/lock/shared.js'
import { defineScript } from '../script.js'

/**
 * Lua: one shared value, a plain text under its key, its lifetime that of the server's key. The answer of a request is
 * kept under its id, so that a repeat after a lost reply hears it again. ARGV: app, base, request id, key, and the rest.
 */
const SHARED = `
local base, request = ARGV[2], ARGV[2] .. 'shared-request:' .. ARGV[3]
local name = base .. 'shared:' .. ARGV[4]
local known = redis.call('GET', request)
if known then return known end

local function answer(text)
  redis.call('SET', request, text, 'PX', ${SHARED_REQUEST_MS})
  return text
end

local function write(value, ttl)
  if ttl == '' then redis.call('SET', name, value) else redis.call('SET', name, value, 'PX', ttl) end
end
`

/** One trip: writes. */
export const SET_SHARED = defineScript('set_shared_v1', [
  SHARED,
  `
write(ARGV[5], ARGV[6])
return answer('1')
`,
])

/** One trip: writes if what is there is ARGV[7], '' standing for nothing. */
export const SWAP_SHARED = defineScript('swap_shared_v1', [
  SHARED,
  `
if (redis.call('GET', name) or '') ~= ARGV[7] then return answer('0') end
write(ARGV[5], ARGV[6])
return answer('1')
`,
])

/** One trip: adds ARGV[5]. Whole numbers this side of 2^53 are exact in Lua. */
export const INCREASE_SHARED = defineScript('increase_shared_v1', [
  SHARED,
  `
local there = redis.call('GET', name)
if there and not string.find(there, '^-?%d+$') then return answer('no number') end
local sum = tonumber(there or '0') + tonumber(ARGV[5])
if math.abs(sum) > ${Number.MAX_SAFE_INTEGER} then return answer('too large') end
local text = string.format('%.0f', sum)
if there then redis.call('SET', name, text, 'KEEPTTL') else write(text, ARGV[6]) end
return answer(text)
`,
])

/** One trip: deletes. */
export const DELETE_SHARED = defineScript('delete_shared_v1', [
  SHARED,
  `
return answer(tostring(redis.call('DEL', name)))
`,
])
