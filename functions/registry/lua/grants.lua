#!lua
-- Store a member's grants, unless somebody changed them meanwhile.
--
-- KEYS[1]  members  members:{p}:MESH
-- KEYS[2]  grants   grants:{p}:MESH
-- ARGV[1]  member key
-- ARGV[2]  grants as the caller read them, '' if there were none
-- ARGV[3]  grants to store, JSON
-- ARGV[4]  channel of the mesh
--
-- Returns ok, not_member or conflict.

local members, grants = KEYS[1], KEYS[2]
local key, was, json, channel = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

if redis.call('HEXISTS', members, key) == 0 then
  return 'not_member'
end
if (redis.call('HGET', grants, key) or '') ~= was then
  return 'conflict'
end
redis.call('HSET', grants, key, json)
bell(channel, 'grants\031' .. key)
return 'ok'
