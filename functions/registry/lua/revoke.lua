#!lua flags=allow-oom
-- Withdraw an invite.
--
-- KEYS[1]  invites  invites:{p}:MESH
-- KEYS[2]  due      invitesdue:{p}:MESH
-- ARGV[1]  invite id
--
-- Returns ok or no_invite.

local invites, due = KEYS[1], KEYS[2]
local id = ARGV[1]

local hash = redis.call('HGET', invites, 'i:' .. id)
if not hash then
  return 'no_invite'
end
local now = now_ms()
if redis.call('HSETNX', invites, 'r:' .. hash, text(now)) == 1 then
  -- It ended a second ago, hence no longer counts as live; one that had
  -- expired before keeps its own end.
  local ended = math.floor(now / 1000) - 1
  if tonumber(redis.call('ZSCORE', due, hash) or 0) > ended then
    redis.call('ZADD', due, text(ended), hash)
  end
end
return 'ok'
