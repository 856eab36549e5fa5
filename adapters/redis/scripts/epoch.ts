/**
 * Lua: whether data of this shard were lost, looked at in the very step that must know. The shard's epoch is a text,
 * `<name>:<history>:<lost at>:<longest grace>`, without a PX.
 *
 * A missing one was lost with all else, since each client made sure of it before it first asked for anything
 * (adapters/redis/epoch.ts). The history is the server's replication id: a restart gives it a new one, and so does the
 * promotion of a replica, which may lack the last writes. Asking for it costs some 4 µs; a server that does not tell is
 * believed. Another name than the asker knows, and no loss noted: somebody new took an emptied server for a new one.
 *
 * The last two arguments: the name that the asker knows ('': none; '-': do not look), and the longest lease and lock delay it knows of.
 * Needs RECORD.
 *
 * @see https://redis.io/docs/latest/operate/oss_and_stack/management/replication/
 */
export const EPOCH = `
local recover_until = 0

-- A server that was never promoted lost what it lost before it started.
local function loss_instant(info)
  if not string.match(info, 'master_replid2:0+%s') then return now end
  local server = redis.pcall('INFO', 'server')
  local seconds = type(server) == 'string' and string.match(server, 'uptime_in_seconds:(%d+)')
  -- The seconds are whole ones: it may have started up to one later.
  return seconds and math.min(now, (math.floor(now / 1000) - seconds + 1) * 1000) or now
end

if ARGV[#ARGV - 1] ~= '-' then
  local known, grace = ARGV[#ARGV - 1], numeric(#ARGV)
  local info = redis.pcall('INFO', 'replication')
  local history = type(info) == 'string' and string.match(info, 'master_replid:(%w+)') or ''
  local stored = redis.call('GET', base .. 'epoch')
  local name, of, lost_at, longest = text(micros), history, now, 0
  local changed = not stored
  if stored then
    name, of, lost_at, longest = string.match(stored, '^(%d+):(%w*):(%d+):(%d+)$')
    lost_at, longest = tonumber(lost_at), tonumber(longest)
    if lost_at == 0 and known ~= '' and known ~= name then
      lost_at, changed = now, true
    elseif history ~= '' and of ~= history then
      lost_at, changed = math.max(lost_at, loss_instant(info)), true
    end
    -- The server's clock was set back since: from here on the grace is at most what it is.
    if lost_at > now then lost_at, changed = now, true end
  end
  if grace > longest then longest, changed = grace, true end
  if changed then
    if history == '' then history = of end
    redis.call('SET', base .. 'epoch', name .. ':' .. history .. ':' .. text(lost_at) .. ':' .. text(longest))
  end
  if lost_at > 0 then recover_until = lost_at + longest end
end

-- A run that the data still tells of was maybe renewed after they were written down: it counts as such to the end.
local function outlive(record)
  if recover_until <= now then return end
  for _, hold in ipairs(record.holders) do
    if hold.stage == 'running' and hold.expiresAt + hold.lockDelayMs < recover_until then
      hold.expiresAt, hold.dueAt = recover_until - hold.lockDelayMs, recover_until
    end
  end
end
`
