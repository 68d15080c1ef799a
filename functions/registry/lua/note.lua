#!lua flags=allow-oom
-- Tell in the audit log what was done elsewhere.
--
-- KEYS[1]  audit  audit:{p}:MESH
-- ARGV[1]  event, ARGV[2] actor, ARGV[3] payload of the audit log
--
-- Returns ok.

local log = KEYS[1]

audit(log, ARGV[1], ARGV[2], ARGV[3])
return 'ok'
