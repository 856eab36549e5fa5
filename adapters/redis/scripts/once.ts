/**
 * Lua: for steps that are not idempotent by nature. The answer is kept for 10 min under the request's id, so that a
 * repeat after a lost reply hears it again and has no second effect. Needs RECORD.
 */
export const ONCE = `
local function once(request_id, step)
  local name = base .. 'request:' .. request_id
  local kept = redis.call('GET', name)
  if kept then return cmsgpack.unpack(kept) end
  local answer = step()
  redis.call('SET', name, cmsgpack.pack(answer), 'PX', 600000)
  return answer
end
`
