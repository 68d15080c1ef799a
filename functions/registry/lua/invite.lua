#!lua
-- Store an invite, and forget some that ended.
--
-- KEYS[1]  mesh     mesh:{p}:MESH
-- KEYS[2]  invites  invites:{p}:MESH
-- KEYS[3]  due      invitesdue:{p}:MESH
-- KEYS[4]  audit    audit:{p}:MESH
-- ARGV[1]  token hash
-- ARGV[2]  invite id
-- ARGV[3]  definition, "EXPIRES MAXUSES JSON"
-- ARGV[4]  second of expiry
-- ARGV[5]  bound of live invites
-- ARGV[6]  bound of all invites
-- ARGV[7]  seconds for which an ended invite is remembered
-- ARGV[8]  the sealed token of an invite with a short link, or ''
-- ARGV[9]  event, ARGV[10] actor, ARGV[11] payload of the audit log
--
-- Returns ok, no_mesh, invite_exists or full.

local mesh, invites, due, log = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local hash, id, definition, expires = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local live, all, kept, sealed = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]
local now = math.floor(now_ms() / 1000)

if redis.call('EXISTS', mesh) == 0 or redis.call('HEXISTS', mesh, 'archived') == 1 then
  return 'no_mesh'
end
if redis.call('HEXISTS', invites, hash) == 1 or redis.call('HEXISTS', invites, 'i:' .. id) == 1 then
  return 'invite_exists'
end
if redis.call('ZCOUNT', due, now, '+inf') >= live then
  return 'full'
end

local function forget(old)
  local json = string.match(redis.call('HGET', invites, old) or '', '^%d+ %d+ (.*)$')
  if json then
    redis.call('HDEL', invites, 'i:' .. cjson.decode(json).id)
  end
  redis.call('HDEL', invites, old, 'u:' .. old, 'r:' .. old, 's:' .. old)
  redis.call('ZREM', due, old)
end

-- Each addition forgets more than it adds, so the number of ended ones falls.
local ended = redis.call('ZRANGE', due, 0, 9, 'WITHSCORES')
local surplus = redis.call('ZCARD', due) + 1 - all
for i = 1, #ended, 2 do
  local score = tonumber(ended[i + 1])
  if score < now - kept or (surplus > 0 and score < now) then
    forget(ended[i])
    surplus = surplus - 1
  end
end

redis.call('HSET', invites, hash, definition, 'i:' .. id, hash)
if sealed ~= '' then
  redis.call('HSET', invites, 's:' .. hash, sealed)
end
redis.call('ZADD', due, expires, hash)
audit(log, ARGV[9], ARGV[10], ARGV[11])
return 'ok'
