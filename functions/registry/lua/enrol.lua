#!lua
-- Make a member by an invite, once per key and as often as the invite allows.
--
-- KEYS[1]  mesh     mesh:{p}:MESH
-- KEYS[2]  members  members:{p}:MESH
-- KEYS[3]  ids      memberid:{p}:MESH
-- KEYS[4]  bans     bans:{p}:MESH
-- KEYS[5]  invites  invites:{p}:MESH
-- ARGV[1]  token hash
-- ARGV[2]  definition of the invite as the caller read it, '' if it saw none
-- ARGV[3]  owner key that the bearer named, or ''
-- ARGV[4]  member key
-- ARGV[5]  member id
-- ARGV[6]  member, JSON, made from the definition
-- ARGV[7]  bound of members
--
-- Returns two words: ok and '', or already and the id of the member that the
-- key is, or a refusal and ''. The order of the refusals is part of the wire.

local mesh, members, ids, bans, invites = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local hash, definition, named = ARGV[1], ARGV[2], ARGV[3]
local key, id, member, bound = ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7])

if redis.call('EXISTS', mesh) == 0 or redis.call('HEXISTS', mesh, 'archived') == 1 then
  return {'no_mesh', ''}
end
local owner = redis.call('HGET', mesh, 'owner') or ''
if owner == '' then
  return {'no_owner', ''}
end
if named ~= '' and named ~= owner then
  return {'owner_mismatch', ''}
end

if definition == '' or redis.call('HGET', invites, hash) ~= definition then
  return {'no_invite', ''}
end
if redis.call('HEXISTS', invites, 'r:' .. hash) == 1 then
  return {'revoked', ''}
end
local expires, uses = string.match(definition, '^(%d+) (%d+) ')
if math.floor(now_ms() / 1000) > tonumber(expires) then
  return {'expired', ''}
end

if redis.call('HEXISTS', bans, key) == 1 then
  return {'banned', ''}
end
local present = redis.call('HGET', members, key)
if present then
  return {'already', cjson.decode(present).id}
end
if tonumber(redis.call('HGET', invites, 'u:' .. hash) or 0) >= tonumber(uses) then
  return {'exhausted', ''}
end
if redis.call('HLEN', members) >= bound then
  return {'full', ''}
end

redis.call('HINCRBY', invites, 'u:' .. hash, 1)
redis.call('HSET', members, key, member)
redis.call('HSET', ids, id, key)
return {'ok', ''}
