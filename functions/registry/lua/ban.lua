#!lua flags=allow-oom
-- Ban a member, or revoke it until somebody invites it again.
--
-- KEYS[1]  members  members:{p}:MESH
-- KEYS[2]  bans     bans:{p}:MESH
-- KEYS[3]  audit    audit:{p}:MESH
-- ARGV[1]  member key
-- ARGV[2]  channel of the mesh
-- ARGV[3]  '' for a ban, 'invite' for what an invite made later lifts
-- ARGV[4]  event, ARGV[5] actor, ARGV[6] payload of the audit log
--
-- Returns ok or not_member. The bell rings for a repeated ban as well: whoever
-- repeats it has reason to think that somebody did not hear. A ban stays a ban.

local members, bans, log = KEYS[1], KEYS[2], KEYS[3]
local key, channel, until_invited = ARGV[1], ARGV[2], ARGV[3] == 'invite'

if redis.call('HEXISTS', members, key) == 0 then
  return 'not_member'
end
local at, lifted_by = string.match(redis.call('HGET', bans, key) or '', '^(%d+) ?(%a*)$')
if not at then
  redis.call('HSET', bans, key, text(now_ms()) .. (until_invited and ' invite' or ''))
elseif lifted_by == 'invite' and not until_invited then
  redis.call('HSET', bans, key, at)
end
audit(log, ARGV[4], ARGV[5], ARGV[6])
bell(channel, 'banned\031' .. key)
return 'ok'
