#!lua flags=allow-oom
-- Decide about a lease that could not simply be renewed, and write it back if
-- nobody was told that the peer had left. Attachments are compared by order: a
-- generation in Redis older than one's own means that Redis went back.
--
-- KEYS       as named in record.lua
-- ARGV[1-5]  as named in record.lua
-- ARGV[6]    lease value of the holder
-- ARGV[7]    its generation
-- ARGV[8]    how long the lease lasts, in milliseconds
-- ARGV[9]    cursor, or ''
-- ARGV[10]   record as the holder knows it, or ''
--
-- Returns 'restored'; 'superseded' when a newer attachment holds the peer;
-- 'gone' when the peer was announced as left, or its member banned, of which
-- the client's next handshake learns; 'missing' when it takes a record.

local k, who = names(KEYS), whom(ARGV)
local mine, gen, lifetime, cursor, record = ARGV[6], ARGV[7], tonumber(ARGV[8]), ARGV[9], ARGV[10]

local value, rec, newest = stand(k, who.peer)
local same = lease_generation(value) == tonumber(gen)
if newest > tonumber(gen) or (same and value ~= mine) then
  return 'superseded' -- the same but for the connection: detached, its socket is closed
end
if not rec and not value and not went_back(k, cursor) then
  return 'gone'
end
if not rec or rec.gen ~= gen then
  rec = parse_record(record)
  if not rec then
    return 'missing'
  end
end
if redis.call('HEXISTS', k.bans, rec.member) == 1 then
  return 'gone'
end

local ends = text(now_ms() + lifetime)
rec.gen = gen
redis.call('SET', k.lease, mine, 'PXAT', ends)
redis.call('ZADD', k.due, ends, who.due)
redis.call('HSET', k.roster, who.peer, format_record(rec))
redis.call('HSET', k.cursors, who.peer, cursor)
if has(rec.flags, 't') then
  redis.call('SADD', k.transients, who.peer)
end
return 'restored'
