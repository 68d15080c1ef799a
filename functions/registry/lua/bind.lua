#!lua flags=allow-oom
-- Bind a session key to the member it was proven to speak for.
--
-- KEYS[1]  sessions  sessions:{p}:MESH
-- KEYS[2]  used      sessionsused:{p}:MESH
-- KEYS[3]  members   members:{p}:MESH
-- KEYS[4]  bans      bans:{p}:MESH
-- ARGV[1]  session key
-- ARGV[2]  member key
-- ARGV[3]  bound of session keys
-- ARGV[4]  milliseconds after which an unused one is forgotten
-- ARGV[5]  milliseconds within which a repeat writes nothing
--
-- Returns ok, not_member or banned.

local sessions, used, members, bans = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local session, member = ARGV[1], ARGV[2]
local bound, unused, fresh = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local now = now_ms()

if redis.call('HEXISTS', members, member) == 0 then
  return 'not_member'
end
if redis.call('HEXISTS', bans, member) == 1 then
  return 'banned'
end
local owner, at = string.match(redis.call('HGET', sessions, session) or '', '^(%x+) (%d+)$')
if owner == member and now - tonumber(at) < fresh then
  return 'ok'
end

redis.call('HSET', sessions, session, member .. ' ' .. text(now))
redis.call('ZADD', used, text(now), session)
-- Each call forgets more than it adds, so a mesh comes back to its bound.
local surplus = redis.call('ZCARD', used) - bound
local oldest = redis.call('ZRANGE', used, 0, 9, 'WITHSCORES')
for i = 1, #oldest, 2 do
  if surplus > 0 or tonumber(oldest[i + 1]) < now - unused then
    redis.call('HDEL', sessions, oldest[i])
    redis.call('ZREM', used, oldest[i])
    surplus = surplus - 1
  end
end
return 'ok'
