#!lua flags=allow-oom
-- Put a job that could not be done behind the others. One that was done
-- meanwhile, or moved on, stays as it is.
--
-- KEYS[1]  jobs
-- ARGV[1]  job   ARGV[2]  by how many ms
--
-- Returns 1.

local now = now_ms()
local due = redis.call('ZSCORE', KEYS[1], ARGV[1])
if due and tonumber(due) <= now then
  redis.call('ZADD', KEYS[1], text(now + tonumber(ARGV[2])), ARGV[1])
end
return 1
