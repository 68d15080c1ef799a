#!lua flags=allow-oom
-- Store the group policy of a mesh, if it is newer than the stored one.
--
-- KEYS[1]  mesh     mesh:{p}:MESH
-- KEYS[2]  audit    audit:{p}:MESH
-- ARGV[1]  owner key against which the caller checked the signature
-- ARGV[2]  counter
-- ARGV[3]  policy, JSON
-- ARGV[4]  channel of the mesh
-- ARGV[5]  event, ARGV[6] actor, ARGV[7] payload of the audit log
--
-- Returns ok, conflict when the owner is another one by now, or stale.

local mesh, log = KEYS[1], KEYS[2]
local owner, counter, policy, channel = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

if redis.call('HGET', mesh, 'owner') ~= owner then
  return 'conflict'
end
if tonumber(counter) <= tonumber(redis.call('HGET', mesh, 'policycounter') or 0) then
  return 'stale'
end
redis.call('HSET', mesh, 'policy', policy, 'policycounter', counter)
audit(log, ARGV[5], ARGV[6], ARGV[7])
bell(channel, 'policy')
return 'ok'
