#!lua
-- Store a member, unless somebody changed it meanwhile.
--
-- KEYS[1]  members  members:{p}:MESH
-- KEYS[2]  audit    audit:{p}:MESH
-- ARGV[1]  member key
-- ARGV[2]  member as the caller read it
-- ARGV[3]  member to store, JSON
-- ARGV[4]  channel of the mesh
-- ARGV[5]  event, ARGV[6] actor, ARGV[7] payload of the audit log
--
-- Returns ok or conflict.

local members, log = KEYS[1], KEYS[2]
local key, was, member, channel = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

if redis.call('HGET', members, key) ~= was then
  return 'conflict'
end
redis.call('HSET', members, key, member)
audit(log, ARGV[5], ARGV[6], ARGV[7])
bell(channel, 'profile\031' .. key)
return 'ok'
