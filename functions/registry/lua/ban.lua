#!lua flags=allow-oom
-- Ban a member.
--
-- KEYS[1]  members  members:{p}:MESH
-- KEYS[2]  bans     bans:{p}:MESH
-- ARGV[1]  member key
-- ARGV[2]  channel of the mesh
--
-- Returns ok or not_member. The bell rings for a repeated ban as well: whoever
-- repeats it has reason to think that somebody did not hear.

local members, bans = KEYS[1], KEYS[2]
local key, channel = ARGV[1], ARGV[2]

if redis.call('HEXISTS', members, key) == 0 then
  return 'not_member'
end
redis.call('HSETNX', bans, key, text(now_ms()))
bell(channel, 'banned\031' .. key)
return 'ok'
