/**
 * Lua: makes room for a newcomer that replaces: a holder that does not run yet ends at once, else the run with the
 * lowest token is told to stop. Nobody more is disturbed while an earlier cancelled run still has to end. Answers whom
 * it ended. Needs RECORD, RIVAL and OUTCOME.
 */
export const DISPLACE = `
local function lowest_run(rivals)
  local lowest
  for _, hold in ipairs(rivals) do
    if hold.stage == 'running' and (not lowest or hold.token < lowest.token) then lowest = hold end
  end
  return lowest
end

local function displace(record, rivals, by, min_run_ms, result_ms)
  for _, hold in ipairs(rivals) do
    if hold.cancelledHow then return nil end
  end
  for _, hold in ipairs(rivals) do
    if hold.stage ~= 'running' and hold.stage ~= 'cooling' then
      remove_hold(record, hold)
      record_as(record, hold, 'replaced', result_ms, by)
      return hold.messageId
    end
  end
  local running = lowest_run(rivals)
  if running and running.since + min_run_ms <= now then cancel(running, 'replaced', by) end
end
`
