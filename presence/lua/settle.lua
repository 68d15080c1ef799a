#!lua flags=allow-oom
-- Make a peer whose lease has run out leave. Anyone may call this, any number
-- of times.
--
-- KEYS       as named in record.lua
-- ARGV[1-5]  as named in record.lua
--
-- Returns what depart() returns, or {} when there is nothing to settle.

local k, who = names(KEYS), whom(ARGV)

if redis.call('EXISTS', k.lease) == 1 then
  return {} -- the index holds a time at which the sweeper looks again
end
local rec = parse_record(redis.call('HGET', k.roster, who.peer))
if not rec then
  redis.call('ZREM', k.due, who.due)
  redis.call('HDEL', k.cursors, who.peer)
  return {}
end
return depart(k, who, rec)
