#!lua flags=allow-oom
-- An edge says that it settles departures, and learns which others do.
--
-- KEYS[1]  edges
-- ARGV[1]  edge
-- ARGV[2]  how long a heartbeat counts, in milliseconds
-- ARGV[3]  'in' to be counted, 'out' not to be
--
-- Returns {Redis's time in milliseconds, edge, edge, …}, at most 1,000 edges.

local edges = KEYS[1]
local edge, window, word = ARGV[1], tonumber(ARGV[2]), ARGV[3]

local now = now_ms()
if word == 'in' then
  redis.call('ZADD', edges, text(now), edge)
else
  redis.call('ZREM', edges, edge)
end
redis.call('ZREMRANGEBYSCORE', edges, '-inf', text(now - 100 * window))
local out = redis.call('ZRANGEBYSCORE', edges, text(now - window), '+inf', 'LIMIT', 0, 1000)
table.insert(out, 1, text(now))
return out
