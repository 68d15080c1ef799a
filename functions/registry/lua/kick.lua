#!lua flags=allow-oom
-- Have edges close connections.
--
-- KEYS[1]  audit  audit:{p}:MESH
-- ARGV[1]  channel of the mesh, ARGV[2] bell's word
-- ARGV[3]  member key, session key, PEERs with blanks between them, or '*'
-- ARGV[4]  event, ARGV[5] actor, ARGV[6] payload of the audit log
--
-- Returns ok.

local log = KEYS[1]
local channel, word, target = ARGV[1], ARGV[2], ARGV[3]

audit(log, ARGV[4], ARGV[5], ARGV[6])
bell(channel, word .. '\031' .. target)
return 'ok'
