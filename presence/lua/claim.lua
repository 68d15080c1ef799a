#!lua flags=allow-oom
-- Take unfinished clean-ups whose time has come, and put them off for everybody
-- else.
--
-- KEYS[1]  cleanup
-- ARGV[1]  how many at most
-- ARGV[2]  for how long they are put off, in milliseconds
-- ARGV[3]  how late one must be to concern the caller, in milliseconds
--
-- Returns the members taken.

local cleanup = KEYS[1]
local limit, delay, lag = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

local now = now_ms()
local taken = redis.call('ZRANGEBYSCORE', cleanup, '-inf', text(now - lag), 'LIMIT', 0, limit)
for _, member in ipairs(taken) do
  redis.call('ZADD', cleanup, text(now + delay), member)
end
return taken
