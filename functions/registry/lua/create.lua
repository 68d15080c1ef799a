#!lua
-- Make a mesh and its first member.
--
-- KEYS[1]  mesh      mesh:{p}:MESH
-- KEYS[2]  members   members:{p}:MESH
-- KEYS[3]  ids       memberid:{p}:MESH
-- KEYS[4]  audit     audit:{p}:MESH
-- ARGV[1]  slug
-- ARGV[2]  name
-- ARGV[3]  owner key
-- ARGV[4]  millisecond of creation
-- ARGV[5]  member key
-- ARGV[6]  member id
-- ARGV[7]  member, JSON
-- ARGV[8]  event, ARGV[9] actor, ARGV[10] payload of the audit log
--
-- Returns ok, or conflict when the mesh exists.

local mesh, members, ids, log = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local slug, name, owner, created = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local key, id, member = ARGV[5], ARGV[6], ARGV[7]

if redis.call('EXISTS', mesh) == 1 then
  return 'conflict'
end
redis.call('HSET', mesh, 'slug', slug, 'name', name, 'owner', owner, 'created', created)
redis.call('HSET', members, key, member)
redis.call('HSET', ids, id, key)
audit(log, ARGV[8], ARGV[9], ARGV[10])
return 'ok'
