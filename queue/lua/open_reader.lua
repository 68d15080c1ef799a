#!lua flags=allow-oom
-- Make a connection a candidate for an inbox, or for a key that it claims.
--
-- KEYS[1]  lease of the connection  KEYS[2]  reader    KEYS[3]  sessions
-- ARGV[1]  lease value              ARGV[2]  inbox     ARGV[3]  PEER
-- ARGV[4]  generation               ARGV[5]  edge      ARGV[6]  member key
-- ARGV[7]  rank                     ARGV[8]  1 if the key is merely claimed
-- ARGV[9]  1 if the key is proven   ARGV[10] most candidates
-- ARGV[11] edge bells (prefix)
--
-- Returns {'ok', 1} if it is the reader now, else {'ok', 0}; or {'lost'}.

local lease, reader, sessions = KEYS[1], KEYS[2], KEYS[3]
local holder, inbox, peer, generation, edge, member = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local rank, claim, proof = tonumber(ARGV[7]), ARGV[8] == '1', ARGV[9] == '1'
local most, bells = tonumber(ARGV[10]), ARGV[11]

if redis.call('GET', lease) ~= holder then
  return {'lost'}
end
if claim and redis.call('HEXISTS', sessions, inbox) == 1 then
  return {'ok', 0}
end

local field = claim and 'claim:' .. inbox or inbox
local readers = readers_parse(redis.call('HGET', reader, field))
local before = readers[1]
local mine = {rank = rank, peer = peer, generation = generation, edge = edge, member = member}
local i = readers_index(readers, peer)
if i and readers[i].rank <= rank then
  mine.rank = readers[i].rank
  readers[i] = mine
else
  if i then
    table.remove(readers, i)
  end
  readers_insert(readers, mine)
end
while #readers > most do
  table.remove(readers)
end

readers_store(reader, field, readers)
if proof then
  redis.call('HDEL', reader, 'claim:' .. inbox)
end
if not claim and before and before.peer ~= readers[1].peer then
  reader_ring(bells, before.edge, inbox, readers[1])
end
return {'ok', readers[1].peer == peer and 1 or 0}
