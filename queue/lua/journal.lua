-- Fragment: the journal of a mesh, for the scripts of every room that appends
-- to it.
--
-- journal_append(journal, head, channel, epoch, entry) → seq (number), id
--
--   journal  key, stream with ids SEQ-0
--   head     key, hash: jseq and jid name the newest entry, jbytes is the size
--            of the journal, epoch the history it belongs to
--   channel  where to ring
--   epoch    taken if the mesh has none yet
--   entry    table: id ('' makes one of seq and tail), tail, kind, body, and where
--            they apply event, member, peer, target, flags
--
-- The bell reads: journal, seq, prev, id, at, kind, event, member, peer, target,
-- flags, body. The stream holds the same from id on.
--
-- journal_reaches(journal, head, epoch, seq, id) → whether reading on from that
-- position misses nothing.

local JOURNAL_ENTRIES = 10000
local JOURNAL_BYTES = 8388608
local JOURNAL_MS = 300000
-- Bounds the work of one append; a journal over its bounds shrinks over several.
local JOURNAL_REMOVALS = 20

-- What an entry counts: the lengths of its values.
local function journal_size(fields)
  local size = 0
  for i = 2, #fields, 2 do
    size = size + #fields[i]
  end
  return size
end

local function journal_trim(journal, head, now, bytes)
  local length = redis.call('XLEN', journal)
  local before = bytes
  for _ = 1, JOURNAL_REMOVALS do
    if length <= 1 then
      break
    end
    local oldest = redis.call('XRANGE', journal, '-', '+', 'COUNT', 1)[1]
    local fields = oldest[2]
    if length <= JOURNAL_ENTRIES and bytes <= JOURNAL_BYTES and now - tonumber(fields[4]) <= JOURNAL_MS then
      break
    end
    redis.call('XDEL', journal, oldest[1])
    length, bytes = length - 1, bytes - journal_size(fields)
  end
  if bytes ~= before then
    redis.call('HSET', head, 'jbytes', text(bytes))
  end
end

local function journal_append(journal, head, channel, epoch, entry)
  local known = redis.call('HMGET', head, 'epoch', 'jseq', 'jbytes')
  local now, prev = now_ms(), tonumber(known[2] or '0')
  local seq = prev + 1
  local id = entry.id
  if id == '' then
    id = message_id('j', seq, entry.tail)
  end
  local event, member, peer, target = entry.event or '', entry.member or '', entry.peer or '', entry.target or ''
  local flags = entry.flags or '-'
  local fields = {
    'id', id, 'at', text(now), 'kind', entry.kind, 'event', event, 'member', member,
    'peer', peer, 'target', target, 'flags', flags, 'body', entry.body,
  }
  -- A journal that has expired took its bytes along.
  local bytes = journal_size(fields)
  if redis.call('EXISTS', journal) == 1 then
    bytes = bytes + tonumber(known[3] or '0')
  end

  redis.call('XADD', journal, text(seq) .. '-0', unpack(fields))
  redis.call('HSET', head, 'epoch', known[1] or epoch, 'jseq', text(seq), 'jid', id, 'jbytes', text(bytes))
  redis.call('PEXPIRE', journal, JOURNAL_MS)
  bell(channel, table.concat({
    'journal', text(seq), text(prev), id, text(now), entry.kind, event, member, peer, target, flags, entry.body,
  }, '\31'))
  journal_trim(journal, head, now, bytes)
  return seq, id
end

local function journal_reaches(journal, head, epoch, seq, id)
  local known = redis.call('HMGET', head, 'epoch', 'jseq', 'jid')
  if known[1] ~= epoch then
    return false
  end
  if (known[2] or '0') == seq then
    return (known[3] or '') == id
  end
  if seq == '0' then
    return redis.call('XRANGE', journal, '1-0', '1-0')[1] ~= nil
  end
  local there = redis.call('XRANGE', journal, seq .. '-0', seq .. '-0')[1]
  return there ~= nil and there[2][2] == id
end
