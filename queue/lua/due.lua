#!lua flags=no-writes
-- List lanes whose oldest message may have waited long enough.
--
-- KEYS[1]  waits
-- ARGV[1]  retention, ms   ARGV[2]  most lanes
--
-- Returns {'ok', MESH:KEY:LANE…}.

local waits = KEYS[1]
local retention, most = tonumber(ARGV[1]), ARGV[2]

local out = redis.call('ZRANGEBYSCORE', waits, '-inf', text(now_ms() - retention), 'LIMIT', 0, most)
table.insert(out, 1, 'ok')
return out
