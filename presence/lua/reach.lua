-- A fragment: whether reading the journal on from a cursor misses nothing. The
-- entry at its SEQ must still be the one that was seen, or Redis went back, or
-- the journal was trimmed. Nothing precedes SEQ 0, so there the first entry
-- must still be held.
local function reaches(journal, cursor, epoch, jseq, jid)
  local e, seq, id = string.match(cursor, '^([^/]+)/(%d+)/(.*)$')
  local n = tonumber(seq)
  if e ~= epoch or n > jseq then
    return false
  elseif n == jseq then
    return id == jid
  end
  local at = text(n == 0 and 1 or n) .. '-0'
  local found = redis.call('XRANGE', journal, at, at)[1]
  if n == 0 or not found then
    return found ~= nil and id == ''
  end
  for i = 1, #found[2], 2 do
    if found[2][i] == 'id' then
      return found[2][i + 1] == id
    end
  end
  return false
end
