#!lua flags=allow-oom
-- Lift a ban.
--
-- KEYS[1]  bans  bans:{p}:MESH
-- ARGV[1]  member key
--
-- Returns ok or not_banned.

local bans = KEYS[1]
local key = ARGV[1]

if redis.call('HDEL', bans, key) == 0 then
  return 'not_banned'
end
return 'ok'
