#!lua flags=allow-oom
-- Withdraw an invite.
--
-- KEYS[1]  invites  invites:{p}:MESH
-- KEYS[2]  due      invitesdue:{p}:MESH
-- KEYS[3]  audit    audit:{p}:MESH
-- ARGV[1]  invite id
-- ARGV[2]  event, ARGV[3] actor, ARGV[4] payload of the audit log
--
-- Returns ok or no_invite.

local invites, due, log = KEYS[1], KEYS[2], KEYS[3]
local id = ARGV[1]

local hash = redis.call('HGET', invites, 'i:' .. id)
if not hash then
  return 'no_invite'
end
local now = now_ms()
if redis.call('HSETNX', invites, 'r:' .. hash, text(now)) == 1 then
  audit(log, ARGV[2], ARGV[3], ARGV[4])
  -- It ended a second ago, hence no longer counts as live; one that had
  -- expired before keeps its own end.
  local ended = math.floor(now / 1000) - 1
  if tonumber(redis.call('ZSCORE', due, hash) or 0) > ended then
    redis.call('ZADD', due, text(ended), hash)
  end
end
return 'ok'
