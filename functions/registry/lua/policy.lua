#!lua flags=allow-oom
-- Store the group policy of a mesh, if it is newer than the stored one.
--
-- KEYS[1]  mesh     mesh:{p}:MESH
-- ARGV[1]  owner key against which the caller checked the signature
-- ARGV[2]  counter
-- ARGV[3]  policy, JSON
-- ARGV[4]  channel of the mesh
--
-- Returns ok, conflict when the owner is another one by now, or stale.

local mesh = KEYS[1]
local owner, counter, policy, channel = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

if redis.call('HGET', mesh, 'owner') ~= owner then
  return 'conflict'
end
if tonumber(counter) <= tonumber(redis.call('HGET', mesh, 'policycounter') or 0) then
  return 'stale'
end
redis.call('HSET', mesh, 'policy', policy, 'policycounter', counter)
bell(channel, 'policy')
return 'ok'
