#!lua flags=allow-oom
-- The least that makes a peer present.
--
-- KEYS[1]  lease   KEYS[2]  roster   KEYS[3]  due
-- ARGV[1]  peer    ARGV[2]  record
--
-- Returns 'ok'.

redis.call('SET', KEYS[1], 'held', 'PX', '120000')
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[3], text(now_ms() + 120000), ARGV[1])
return 'ok'
