#!lua
-- Make a member by an invite, once per key and as often as the invite allows.
--
-- KEYS[1]  mesh     mesh:{p}:MESH
-- KEYS[2]  members  members:{p}:MESH
-- KEYS[3]  ids      memberid:{p}:MESH
-- KEYS[4]  bans     bans:{p}:MESH
-- KEYS[5]  invites  invites:{p}:MESH
-- KEYS[6]  audit    audit:{p}:MESH
-- ARGV[1]  token hash
-- ARGV[2]  definition of the invite as the caller read it, '' if it saw none
-- ARGV[3]  owner key that the bearer named, or ''
-- ARGV[4]  member key
-- ARGV[5]  member id
-- ARGV[6]  member, JSON, made from the definition
-- ARGV[7]  bound of members
-- ARGV[8]  event, ARGV[9] actor, ARGV[10] payload of the audit log
--
-- Returns two words: ok and '', or already and the id of the member that the
-- key is, or a refusal and ''. The order of the refusals is part of the wire.

local mesh, members, ids, bans, invites, log = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
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
local expires, uses, rest = string.match(definition, '^(%d+) (%d+) (.*)$')
if math.floor(now_ms() / 1000) > tonumber(expires) then
  return {'expired', ''}
end

-- An invite made after a revocation lifts it. An older one does not, or whoever
-- still has the link would be back at once.
local out, lifted_by = string.match(redis.call('HGET', bans, key) or '', '^(%d+) ?(%a*)$')
if out and (lifted_by ~= 'invite' or cjson.decode(rest).createdAt <= tonumber(out)) then
  return {'banned', ''}
end
local present = redis.call('HGET', members, key)
if present and not out then
  return {'already', cjson.decode(present).id}
end
if tonumber(redis.call('HGET', invites, 'u:' .. hash) or 0) >= tonumber(uses) then
  return {'exhausted', ''}
end
if not present and redis.call('HLEN', members) >= bound then
  return {'full', ''}
end

redis.call('HINCRBY', invites, 'u:' .. hash, 1)
redis.call('HSET', members, key, member)
if present then
  redis.call('HDEL', ids, cjson.decode(present).id)
  redis.call('HDEL', bans, key)
end
redis.call('HSET', ids, id, key)
audit(log, ARGV[8], ARGV[9], ARGV[10])
return {'ok', ''}
