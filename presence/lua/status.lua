#!lua flags=allow-oom
-- Write a peer's status.
--
-- KEYS       as named in record.lua
-- ARGV[1-5]  as named in record.lua
-- ARGV[6]    lease value of the holder, or '' when somebody else speaks
-- ARGV[7]    status
-- ARGV[8]    source
--
-- Returns {status, source, milliseconds} as they now stand, {'lost'} or {'away'}.

local k, who = names(KEYS), whom(ARGV)
local mine, status, source = ARGV[6], ARGV[7], ARGV[8]

local value, rec = stand(k, who.peer)
if mine ~= '' and value ~= mine then
  return { 'lost' }
end
if not rec then
  return { 'away' }
end

if not (source == 'hook' and rec.status == 'dnd') then
  local now, before = now_ms(), rec.status
  rec.source = status_source(before, rec.source, tonumber(rec.at), status, source, now)
  rec.status, rec.at = status, text(now)
  redis.call('HSET', k.roster, who.peer, format_record(rec))
  if before ~= status then
    bell(who.channel, 'status\031' .. who.peer)
  end
end
return { rec.status, rec.source, rec.at }
