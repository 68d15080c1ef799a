#!lua flags=allow-oom
-- The jobs of a partition whose time has come.
--
-- KEYS[1]  jobs
-- ARGV[1]  how many at most
--
-- Returns now, when the next one after these is due (both ms; '' for never),
-- and the jobs, the longest overdue first.

local jobs, limit = KEYS[1], ARGV[1]

local now = now_ms()
local due = redis.call('ZRANGEBYSCORE', jobs, '-inf', text(now), 'LIMIT', '0', limit)
local later = redis.call('ZRANGEBYSCORE', jobs, '(' .. text(now), '+inf', 'WITHSCORES', 'LIMIT', '0', '1')
local out = { text(now), later[2] or '' }
for _, job in ipairs(due) do
  out[#out + 1] = job
end
return out
