#!lua flags=allow-oom
-- Extend leases of one partition. This is what idle peers cost, twice a minute
-- each, so it does the least that is safe and leaves every other case to
-- restore.lua. The due index is not written: it already holds an earlier time,
-- at which the sweeper reads how long a lease really lasts.
--
-- KEYS[3i-2]  lease of the i-th peer
-- KEYS[3i-1]  roster of its mesh
-- KEYS[3i]    cursors of its mesh
-- ARGV[1]     how long the leases last, in milliseconds
-- ARGV[3i-1]  peer
-- ARGV[3i]    lease value of its holder
-- ARGV[3i+1]  cursor, or '' to leave the stored one
--
-- Returns the positions of those that were not renewed, from 1.

local lifetime = ARGV[1]

-- Whoever has a record has a cursor, so only a new cursor makes it necessary
-- to look for the record.
local function has_record(roster, cursors, peer, cursor)
  if cursor ~= '' and redis.call('HSET', cursors, peer, cursor) == 0 then
    return true
  end
  if redis.call('HEXISTS', roster, peer) == 1 then
    return true
  end
  redis.call('HDEL', cursors, peer)
  return false
end

local others = {}
for i = 1, #KEYS / 3 do
  local lease, roster, cursors = KEYS[3 * i - 2], KEYS[3 * i - 1], KEYS[3 * i]
  local peer, mine, cursor = ARGV[3 * i - 1], ARGV[3 * i], ARGV[3 * i + 1]
  if redis.call('GET', lease) == mine and has_record(roster, cursors, peer, cursor) then
    redis.call('PEXPIRE', lease, lifetime)
  else
    others[#others + 1] = i
  end
end
return others
