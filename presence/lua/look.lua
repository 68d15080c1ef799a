#!lua flags=allow-oom
-- See what is to be done in one partition.
--
-- KEYS[1]  due
-- KEYS[2]  cleanup
-- ARGV[1]  how many at most
-- ARGV[2]  how late something must be to concern the caller, in milliseconds
--
-- Returns {milliseconds until the next deadline concerns the caller, until the
-- next clean-up does, member, member, …}: '' for none, '0' for at once; the
-- members of the due index that concern it now.

local due, cleanup = KEYS[1], KEYS[2]
local limit, lag = ARGV[1], tonumber(ARGV[2])

local past = now_ms() - lag
local function wait(pair)
  return pair[2] and text(math.max(0, tonumber(pair[2]) - past)) or ''
end
local out = redis.call('ZRANGEBYSCORE', due, '-inf', text(past), 'LIMIT', 0, limit)
table.insert(out, 1, wait(redis.call('ZRANGE', cleanup, 0, 0, 'WITHSCORES')))
table.insert(out, 1, wait(redis.call('ZRANGEBYSCORE', due, '(' .. text(past), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)))
return out
