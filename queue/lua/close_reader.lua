#!lua flags=allow-oom
-- Remove a peer from the candidates of an inbox and from the claims on its key.
--
-- KEYS[1]  reader
-- ARGV[1]  inbox        ARGV[2]  PEER
-- ARGV[3]  generation: a newer one of this peer stays
-- ARGV[4]  edge bells (prefix)
--
-- Returns {'ok'}.

local reader = KEYS[1]
local inbox, peer, up_to, bells = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

-- Returns the new best candidate if the peer was the best before.
local function leave(field)
  local readers = readers_parse(redis.call('HGET', reader, field))
  local i = readers_index(readers, peer)
  if not i or generation_after(readers[i].generation, up_to) then
    return nil
  end
  table.remove(readers, i)
  readers_store(reader, field, readers)
  return i == 1 and readers[1] or nil
end

local now = leave(inbox)
leave('claim:' .. inbox)
if now then
  reader_ring(bells, now.edge, inbox, now)
end
return {'ok'}
