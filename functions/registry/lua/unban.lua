#!lua flags=allow-oom
-- Lift a ban.
--
-- KEYS[1]  bans   bans:{p}:MESH
-- KEYS[2]  audit  audit:{p}:MESH
-- ARGV[1]  member key
-- ARGV[2]  event, ARGV[3] actor, ARGV[4] payload of the audit log
--
-- Returns ok or not_banned.

local bans, log = KEYS[1], KEYS[2]
local key = ARGV[1]

if redis.call('HDEL', bans, key) == 0 then
  return 'not_banned'
end
audit(log, ARGV[2], ARGV[3], ARGV[4])
return 'ok'
