#!lua flags=allow-oom
-- The socket is lost: the peer has one TTL, from now, to come back.
--
-- KEYS       as named in record.lua
-- ARGV[1-5]  as named in record.lua
-- ARGV[6]    generation of the holder
-- ARGV[7]    its edge
-- ARGV[8]    TTL in milliseconds
-- ARGV[9]    cursor, or ''
--
-- Returns {'ok'}, {'lost'}, or what depart() returns for a transient peer.

local k, who = names(KEYS), whom(ARGV)
local gen, edge, ttl, cursor = ARGV[6], ARGV[7], tonumber(ARGV[8]), ARGV[9]

local value, rec, newest = stand(k, who.peer)
if not rec or newest > tonumber(gen) then
  return { 'lost' }
end
if value == detached_value(gen, edge) then
  return { 'ok' } -- a repeat must not lengthen the grace
end
if has(rec.flags, 't') then
  return depart(k, who, rec)
end

-- Also where the lease has run out or is an older one: nobody was told that
-- the peer left, and it must not be before one TTL from now. The index is
-- written because this deadline is nearer than the one it holds.
local ends = text(now_ms() + ttl)
rec.gen = gen
redis.call('SET', k.lease, detached_value(gen, edge), 'PXAT', ends)
redis.call('ZADD', k.due, ends, who.due)
redis.call('HSET', k.roster, who.peer, format_record(rec))
if cursor ~= '' then
  redis.call('HSET', k.cursors, who.peer, cursor)
end
save(k, rec, now_ms())
return { 'ok' }
