#!lua
-- Store a member's grants, unless somebody changed them meanwhile.
--
-- KEYS[1]  members  members:{p}:MESH
-- KEYS[2]  grants   grants:{p}:MESH
-- KEYS[3]  audit    audit:{p}:MESH
-- ARGV[1]  member key
-- ARGV[2]  grants as the caller read them, '' if there were none
-- ARGV[3]  grants to store, JSON
-- ARGV[4]  channel of the mesh
-- ARGV[5]  event, ARGV[6] actor, ARGV[7] payload of the audit log
--
-- Returns ok, not_member or conflict.

local members, grants, log = KEYS[1], KEYS[2], KEYS[3]
local key, was, json, channel = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

if redis.call('HEXISTS', members, key) == 0 then
  return 'not_member'
end
if (redis.call('HGET', grants, key) or '') ~= was then
  return 'conflict'
end
redis.call('HSET', grants, key, json)
audit(log, ARGV[5], ARGV[6], ARGV[7])
bell(channel, 'grants\031' .. key)
return 'ok'
