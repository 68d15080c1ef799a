#!lua
-- Put a direct message into its recipient's inbox and ring at its reader.
--
-- KEYS[1]  lease of the sender, or members where ARGV[1] is ''
-- KEYS[2]  rate buckets         KEYS[3]  once (prefix)     KEYS[4]  track (prefix)
-- KEYS[5]  head                 KEYS[6]  inbox (prefix)    KEYS[7]  waits
-- KEYS[8]  reader               KEYS[9]  members           KEYS[10] bans
-- KEYS[11] sessions             KEYS[12] grants
-- ARGV[1]  lease value          ARGV[2]  sends a minute    ARGV[3]  burst
-- ARGV[4]  client id, hashed    ARGV[5]  fingerprint, hashed
-- ARGV[6]  bucket length, ms    ARGV[7]  mesh
-- ARGV[8]  sender's member key  ARGV[9]  sender's PEER     ARGV[10] sender's key
-- ARGV[11] target               ARGV[12] lane              ARGV[13] client id
-- ARGV[14] tail of the id       ARGV[15] body              ARGV[16] edge bells (prefix)
-- ARGV[17] most messages and ARGV[18] most bytes an inbox, ARGV[19] most bytes a mesh
--
-- Returns {'ok', id}, {'duplicate', first id}, or one of {'lost'}, {'rate'},
-- {'not_member'}, {'fingerprint'}, {'no_recipient'}, {'blocked'}, {'inbox_full'}, {'mesh_full'}.

local lease, rate, once, track, head, inboxes, waits = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local reader, members, bans, sessions, grants = KEYS[8], KEYS[9], KEYS[10], KEYS[11], KEYS[12]
local holder, per_minute, burst = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local once_field, print, bucket, mesh = ARGV[4], ARGV[5], tonumber(ARGV[6]), ARGV[7]
local member, peer, key, target, lane = ARGV[8], ARGV[9], ARGV[10], ARGV[11], ARGV[12]
local client_id, tail, body, bells = ARGV[13], ARGV[14], ARGV[15], ARGV[16]
local most_messages, most_bytes, most_mesh = tonumber(ARGV[17]), tonumber(ARGV[18]), tonumber(ARGV[19])

-- Whose key the target is; nothing if it is nobody's.
local function owner_of(name)
  if redis.call('HEXISTS', members, name) == 1 then
    return name
  end
  return string.match(redis.call('HGET', sessions, name) or '', '^%S+')
end

-- The inbox for the target, its member and its reader, if any; nothing if
-- nobody can be reached there.
local function resolve()
  local owner, to = owner_of(target), nil
  if owner then
    local list = redis.call('HGET', reader, target)
    -- One's own key is for one's other connections, unless one is not here.
    if holder ~= '' and (target == member or target == peer) and not reader_best(list, peer) then
      return nil
    end
    to = {inbox = target, member = owner, reader = reader_best(list)}
  else
    local claim = reader_best(redis.call('HGET', reader, 'claim:' .. target), peer)
    if not claim then
      return nil
    end
    to = {inbox = claim.peer, member = claim.member, reader = claim}
  end
  return redis.call('HEXISTS', bans, to.member) == 0 and to or nil
end

-- SEQ of the newest entry of a lane, '0' if it is empty. Where nobody reads,
-- nobody needs to know which one it is.
local function before(stream, count, reader)
  if count == 1 then
    return '0'
  end
  if not reader then
    return text(redis.call('EXISTS', stream))
  end
  local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
  return last and string.match(last[1], '^%d+') or '0'
end

local barred = actor_refused(lease, holder, members, bans, member)
if barred then
  return barred
end
local now = now_ms()
if not rate_charge(rate, member, per_minute, burst, now) then
  return {'rate'}
end
local answer = once_answer(once, once_field, print, now, bucket)
if answer then
  return answer
end
local to = resolve()
if not to then
  return {'no_recipient'}
end
if not grants_allow(redis.call('HGET', grants, to.member), member, key, 'dm') then
  return {'blocked'}
end

local count_field, bytes_field = 'n:' .. to.inbox, 'b:' .. to.inbox
local known = redis.call('HMGET', head, 'iseq', count_field, bytes_field, 'bytes', 'kept')
local seq, count = tonumber(known[1] or '0') + 1, tonumber(known[2] or '0') + 1
local at = text(now)
local size = #tail + #at + #member + #peer + #client_id + #body
local bytes, mesh_bytes = tonumber(known[3] or '0') + size, tonumber(known[4] or '0') + size
if count > most_messages or bytes > most_bytes then
  return {'inbox_full'}
end
if mesh_bytes > most_mesh then
  return {'mesh_full'}
end

local stream, id = inboxes .. ':' .. to.inbox .. ':' .. lane, message_id('d', seq, tail)
local prev = before(stream, count, to.reader)
redis.call('XADD', stream, text(seq) .. '-0', 't', tail, 'a', at, 'm', member, 'p', peer, 'c', client_id, 'b', body)
redis.call('HSET', head, 'iseq', text(seq), count_field, text(count), bytes_field, text(bytes), 'bytes', text(mesh_bytes))
if prev == '0' then
  redis.call('ZADD', waits, at, mesh .. ':' .. to.inbox .. ':' .. lane)
end
-- The first send of a bucket's time with a client id has made both buckets.
local ends = bucket_ends(now, bucket)
local there = known[5] == ends
once_store(once, once_field, print, id, now, bucket, there)
track_store(track, id, target, '0', now, bucket, there)
if not there and once_field ~= '' then
  redis.call('HSET', head, 'kept', ends)
end
if to.reader then
  bell(bells .. to.reader.edge, table.concat({
    'inbox', to.inbox, lane, to.reader.peer, text(seq), prev, id, at, member, peer, client_id, body,
  }, '\31'))
end
return {'ok', id}
