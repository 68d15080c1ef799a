#!lua
-- Put back what a mesh's registry has lost. What is there is newer and stays.
--
-- KEYS[1]  mesh     mesh:{p}:MESH
-- KEYS[2]  members  members:{p}:MESH
-- KEYS[3]  ids      memberid:{p}:MESH
-- KEYS[4]  bans     bans:{p}:MESH
-- KEYS[5]  invites  invites:{p}:MESH
-- KEYS[6]  due      invitesdue:{p}:MESH
-- KEYS[7]  audit    audit:{p}:MESH
-- ARGV[1]  owner key
-- ARGV[2]  channel of the mesh
-- ARGV[3]  event, ARGV[4] actor, ARGV[5] payload of the audit log
-- ARGV[6]  kind, ARGV[7] field, ARGV[8] value, and so on: at most a request's
--
-- Returns ok, or owner_mismatch when the mesh is somebody else's. Who is shut
-- out by it may have come in meanwhile, so the bell rings as for a new ban.

local mesh, ids, due, log = KEYS[1], KEYS[3], KEYS[6], KEYS[7]
local hashes = {mesh = mesh, member = KEYS[2], ban = KEYS[4], invite = KEYS[5]}
local owner, channel = ARGV[1], ARGV[2]

if (redis.call('HGET', mesh, 'owner') or owner) ~= owner then
  return 'owner_mismatch'
end
redis.call('HSETNX', mesh, 'owner', owner)
for i = 6, #ARGV, 3 do
  local kind, field, value = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if redis.call('HSETNX', hashes[kind], field, value) == 1 then
    if kind == 'member' then
      redis.call('HSET', ids, cjson.decode(value).id, field)
    elseif kind == 'ban' then
      bell(channel, 'banned\031' .. field)
    elseif kind == 'mesh' and field == 'archived' then
      bell(channel, 'archived')
    elseif kind == 'invite' and string.match(value, '^%d+ %d+ ') then
      redis.call('ZADD', due, string.match(value, '^%d+'), field)
    end
  end
end
audit(log, ARGV[3], ARGV[4], ARGV[5])
return 'ok'
