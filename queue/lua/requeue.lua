#!lua
-- Put a dead letter back into the inbox that it was for, behind what waits
-- there, and ring at its reader. It keeps its id and gets a new SEQ.
--
-- KEYS[1]  head      KEYS[2]  inbox (prefix)   KEYS[3]  waits
-- KEYS[4]  dead      KEYS[5]  buried           KEYS[6]  track (prefix)
-- KEYS[7]  reader    KEYS[8]  members          KEYS[9]  bans
-- KEYS[10] sessions
-- ARGV[1]  mesh      ARGV[2]  message id       ARGV[3]  bucket length, ms
-- ARGV[4]  edge bells (prefix)
-- ARGV[5]  most messages and ARGV[6] most bytes an inbox, ARGV[7] most bytes a mesh
--
-- Returns {'ok'}, or one of {'not_found'}, {'no_recipient'}, {'inbox_full'},
-- {'mesh_full'}.

local head, inboxes, waits, track = KEYS[1], KEYS[2], KEYS[3], KEYS[6]
local reader, members, bans, sessions = KEYS[7], KEYS[8], KEYS[9], KEYS[10]
local grave = {head = head, dead = KEYS[4], buried = KEYS[5]}
local mesh, id, bucket, bells = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local most_messages, most_bytes, most_mesh = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])

-- The inbox of a claim is named by its PEER, which no registry knows.
local KEY_LENGTH = 64

-- Whether somebody may still read that inbox.
local function owned(inbox)
  if #inbox ~= KEY_LENGTH or redis.call('HEXISTS', members, inbox) == 1 then
    return redis.call('HEXISTS', bans, inbox) == 0
  end
  local owner = string.match(redis.call('HGET', sessions, inbox) or '', '^%S+')
  return owner ~= nil and redis.call('HEXISTS', bans, owner) == 0
end

-- Who reads the inbox now, or nothing. Claims are listed by the key that they
-- name; there are no more of them than peers are present.
local function reader_of(inbox)
  if #inbox == KEY_LENGTH then
    return reader_best(redis.call('HGET', reader, inbox))
  end
  local all = redis.call('HGETALL', reader)
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, 6) == 'claim:' then
      local readers = readers_parse(all[i + 1])
      local mine = readers_index(readers, inbox)
      if mine then
        return readers[mine]
      end
    end
  end
end

local grave_at, letter = dead_find(grave, id)
if not grave_at then
  return {'not_found'}
end
local inbox, lane, fields = letter[4], letter[6], dead_message(letter)
if not owned(inbox) then
  return {'no_recipient'}
end

local now = now_ms()
fields[2] = id .. text(now)
local size = inbox_size(fields)
local count_field, bytes_field = 'n:' .. inbox, 'b:' .. inbox
local known = redis.call('HMGET', head, 'iseq', count_field, bytes_field, 'bytes')
local seq, count = tonumber(known[1] or '0') + 1, tonumber(known[2] or '0') + 1
local bytes, mesh_bytes = tonumber(known[3] or '0') + size, tonumber(known[4] or '0') + size
if count > most_messages or bytes > most_bytes then
  return {'inbox_full'}
end
if mesh_bytes > most_mesh then
  return {'mesh_full'}
end

local stream = inboxes .. ':' .. inbox .. ':' .. lane
local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
local prev = last and string.match(last[1], '^%d+') or '0'
redis.call('XADD', stream, text(seq) .. '-0', unpack(fields))
redis.call('HSET', head, 'iseq', text(seq), count_field, text(count), bytes_field, text(bytes),
  'bytes', text(mesh_bytes), inbox_moved(id), text(seq))
if prev == '0' then
  redis.call('ZADD', waits, text(now), mesh .. ':' .. inbox .. ':' .. lane)
end
track_store(track, id, inbox, '0', now, bucket)
dead_remove(grave, grave_at, letter)
local to = reader_of(inbox)
if to then
  bell(bells .. to.edge, table.concat({
    'inbox', inbox, lane, to.peer, text(seq), prev, id, fields[4], fields[6], fields[8], fields[10], fields[12],
  }, '\31'))
end
return {'ok'}
