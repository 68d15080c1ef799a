#!lua flags=allow-oom
-- The jobs of a partition whose time has come.
--
-- KEYS[1]  jobs, MESH:SHELF:FIELD by ms
-- ARGV[1]  how many at most
-- ARGV[2]  how many of one mesh while others have some
-- ARGV[3]  how many are looked through
--
-- Returns now, when the next one after these is due (both ms; '' for never),
-- and the jobs, those of each mesh the longest overdue first. A mesh that has
-- very many does not stand in front of the others.

local jobs, limit, fair, most = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]

local now = now_ms()
local due = redis.call('ZRANGEBYSCORE', jobs, '-inf', text(now), 'LIMIT', '0', most)
local later = redis.call('ZRANGEBYSCORE', jobs, '(' .. text(now), '+inf', 'WITHSCORES', 'LIMIT', '0', '1')
local out = { text(now), later[2] or '' }
local count, behind = {}, {}
for _, job in ipairs(due) do
  if #out == limit + 2 then
    break
  end
  local mesh = string.match(job, '^[^:]*')
  count[mesh] = (count[mesh] or 0) + 1
  if count[mesh] <= fair then
    out[#out + 1] = job
  else
    behind[#behind + 1] = job
  end
end
for _, job in ipairs(behind) do
  if #out == limit + 2 then
    break
  end
  out[#out + 1] = job
end
return out
