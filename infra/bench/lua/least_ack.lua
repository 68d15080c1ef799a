#!lua flags=allow-oom
-- The least that removes it.
--
-- KEYS[1]  stream
-- ARGV[1]  id
--
-- Returns how many messages were removed.

local removed = redis.call('XDEL', KEYS[1], ARGV[1])
if redis.call('XLEN', KEYS[1]) == 0 then
  redis.call('DEL', KEYS[1])
end
return removed
