#!lua flags=no-writes,allow-oom
-- Read what a handshake needs to know of a mesh and of one key.
--
-- KEYS[1]  mesh     mesh:{p}:MESH
-- KEYS[2]  members  members:{p}:MESH
-- KEYS[3]  bans     bans:{p}:MESH
-- ARGV[1]  member key
--
-- Returns the member's JSON or '', the millisecond of its ban or '', then the
-- fields and values of the mesh (none when there is no such mesh).

local mesh, members, bans = KEYS[1], KEYS[2], KEYS[3]
local key = ARGV[1]

local reply = {redis.call('HGET', members, key) or '', redis.call('HGET', bans, key) or ''}
for _, part in ipairs(redis.call('HGETALL', mesh)) do
  reply[#reply + 1] = part
end
return reply
