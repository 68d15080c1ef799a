-- Fragment: taking a message out of an inbox.
--
-- A box is a table of names: mesh, head, inboxes, waits, tries. An entry's
-- fields are t (tail of the id), a (ms), m, p (sender's member and PEER),
-- c (client id), b (body).
--
-- A message that was a dead letter and was put back stands under a new SEQ,
-- because a stream takes nothing in before its end. Its field t is the whole id
-- and the ms at which it was put back, and head knows the SEQ by that id.

local INBOX_TAIL, INBOX_ID = 24, 32

-- The id of the message, wherever it stands.
local function inbox_message_id(seq, fields)
  local tail = fields[2]
  return #tail == INBOX_TAIL and message_id('d', tonumber(seq), tail) or string.sub(tail, 1, INBOX_ID)
end

local function inbox_is(fields, id)
  local tail = fields[2]
  return tail == string.sub(id, 9) or #tail > INBOX_ID and string.sub(tail, 1, INBOX_ID) == id
end

-- The ms, as text, since which the message waits.
local function inbox_since(fields)
  return #fields[2] == INBOX_TAIL and fields[4] or string.sub(fields[2], INBOX_ID + 1)
end

-- The field of head that tells the SEQ of a message that was put back.
local function inbox_moved(id)
  return 'r:' .. id
end

-- What a message counts: the lengths of its values.
local function inbox_size(fields)
  local size = 0
  for i = 2, #fields, 2 do
    size = size + #fields[i]
  end
  return size
end

local function inbox_lane(box, key, lane)
  return box.inboxes .. ':' .. key .. ':' .. lane
end

-- Returns the fields of the message with that SEQ, or nothing.
local function inbox_find(box, key, lane, seq)
  local id = seq .. '-0'
  local found = redis.call('XRANGE', inbox_lane(box, key, lane), id, id)[1]
  return found and found[2]
end

-- Counts one message less, and forgets what reaches zero.
local function inbox_uncount(box, key, seq, size)
  local count, bytes, tries = 'n:' .. key, 'b:' .. key, box.tries .. ':' .. key
  local known = redis.call('HMGET', box.head, count, bytes, 'bytes')
  local messages, mesh_bytes = tonumber(known[1] or '0') - 1, tonumber(known[3] or '0') - size
  local total = mesh_bytes > 0
  if messages > 0 then
    local left = text(tonumber(known[2] or '0') - size)
    redis.call('HSET', box.head, count, text(messages), bytes, left, 'bytes', text(math.max(0, mesh_bytes)))
    redis.call('HDEL', tries, seq)
  else
    redis.call('DEL', tries)
    if total then
      redis.call('HDEL', box.head, count, bytes)
      redis.call('HSET', box.head, 'bytes', text(mesh_bytes))
    else
      redis.call('HDEL', box.head, count, bytes, 'bytes')
    end
  end
end

local function inbox_remove(box, key, lane, seq, fields)
  local stream = inbox_lane(box, key, lane)
  if redis.call('XLEN', stream) > 1 then
    redis.call('XDEL', stream, seq .. '-0')
  else -- it is the one that was found there
    redis.call('DEL', stream)
    redis.call('ZREM', box.waits, box.mesh .. ':' .. key .. ':' .. lane)
  end
  if #fields[2] > INBOX_ID then
    redis.call('HDEL', box.head, inbox_moved(string.sub(fields[2], 1, INBOX_ID)))
  end
  inbox_uncount(box, key, seq, inbox_size(fields))
end
