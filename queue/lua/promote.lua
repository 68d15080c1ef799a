#!lua flags=allow-oom
-- Give a candidate the best rank, behind those that have it already.
--
-- KEYS[1]  lease of the connection  KEYS[2]  reader
-- ARGV[1]  lease value              ARGV[2]  inbox     ARGV[3]  PEER
-- ARGV[4]  generation               ARGV[5]  edge bells (prefix)
--
-- Returns {'ok', 1} if it is the reader now, else {'ok', 0}; or {'lost'}.

local lease, reader = KEYS[1], KEYS[2]
local holder, inbox, peer, generation, bells = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

if redis.call('GET', lease) ~= holder then
  return {'lost'}
end
local readers = readers_parse(redis.call('HGET', reader, inbox))
local before = readers[1]
local i = readers_index(readers, peer)
if not i or readers[i].generation ~= generation then
  return {'ok', 0}
end
if readers[i].rank > 0 then
  local mine = table.remove(readers, i)
  mine.rank = 0
  readers_insert(readers, mine)
  readers_store(reader, inbox, readers)
  if before.peer ~= readers[1].peer then
    reader_ring(bells, before.edge, inbox, readers[1])
  end
end
return {'ok', readers[1].peer == peer and 1 or 0}
