#!lua
-- The least that keeps a message and rings: neither lease nor rate, neither
-- idempotency nor bounds, neither grants nor status.
--
-- KEYS[1]  stream
-- ARGV[1]  body   ARGV[2]  bell
--
-- Returns the id.

local id = redis.call('XADD', KEYS[1], '*', 'b', ARGV[1])
bell(ARGV[2], ARGV[1])
return id
