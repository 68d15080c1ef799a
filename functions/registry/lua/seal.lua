#!lua flags=allow-oom
-- Chain entries of an audit log that nobody has chained yet, and forget the
-- oldest beyond the bound.
--
-- KEYS[1]  audit  audit:{p}:MESH
-- KEYS[2]  seals  auditseal:{p}:MESH, entry id → hash; 'last' and 'base'
-- ARGV[1]  'last' as the caller read it, "ID HASH", '' if there was none
-- ARGV[2]  bound of entries
-- ARGV[3]  entry id, ARGV[4] its hash, and so on
--
-- Returns ok, or conflict when somebody else chained meanwhile. 'base' is the
-- hash before the oldest entry that is kept.

local log, seals = KEYS[1], KEYS[2]
local last, bound = ARGV[1], tonumber(ARGV[2])

if (redis.call('HGET', seals, 'last') or '') ~= last then
  return 'conflict'
end
for i = 3, #ARGV, 2 do
  redis.call('HSET', seals, ARGV[i], ARGV[i + 1], 'last', ARGV[i] .. ' ' .. ARGV[i + 1])
end
-- Each call forgets more than it adds.
local surplus = math.min(redis.call('XLEN', log) - bound, #ARGV + 10)
if surplus > 0 then
  for _, entry in ipairs(redis.call('XRANGE', log, '-', '+', 'COUNT', surplus)) do
    local hash = redis.call('HGET', seals, entry[1])
    if not hash then
      break
    end
    redis.call('HSET', seals, 'base', hash)
    redis.call('HDEL', seals, entry[1])
    redis.call('XDEL', log, entry[1])
  end
end
return 'ok'
