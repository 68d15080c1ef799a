#!lua flags=allow-oom
-- A goodbye: the lease ends now.
--
-- KEYS       as named in record.lua
-- ARGV[1-5]  as named in record.lua
-- ARGV[6]    generation that leaves
--
-- Returns what depart() returns, {'ok'} when the peer has left before, or
-- {'lost'} when a newer attachment holds it.

local k, who = names(KEYS), whom(ARGV)
local gen = ARGV[6]

local value, rec, newest = stand(k, who.peer)
if newest > tonumber(gen) then
  return { 'lost' }
end
if not rec then
  redis.call('DEL', k.lease)
  redis.call('ZREM', k.due, who.due)
  return { 'ok' }
end
return depart(k, who, rec)
