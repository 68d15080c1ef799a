#!lua flags=allow-oom
-- Give a peer's lease to a connection.
--
-- KEYS       as named in record.lua; to resume, behind them:
-- KEYS[12]   hash of what members grant, by member key
-- KEYS[13]   hash of the mesh, with a field archived if it is closed
-- ARGV[1-5]  as named in record.lua
-- ARGV[6]    edge
-- ARGV[7]    connection
-- ARGV[8]    how long the lease lasts, in milliseconds
-- ARGV[9]    member key
-- ARGV[10]   key shown to others
-- ARGV[11]   kind
-- ARGV[12]   flags
-- ARGV[13]   JSON of the record
-- ARGV[14]   event to append when the peer joins, or ''
-- ARGV[15]   its data, a JSON object
-- ARGV[16]   cursor named by the client, or ''
-- ARGV[17]   capacity of the mesh, 0 for none
-- ARGV[18]   generation to resume: the peer's last attachment must be this one,
--            of the same key and kind; '' for a whole handshake
-- ARGV[19]   epoch in which others were told that the peer is here, or ''
--
-- Returns {'banned'}, {'stranger'}, {'full'} or {'passed'}; or {'joined',
-- 'resumed' or 'took_over', generation, lease value displaced or '', cursor to
-- start at, 'resync' or '', record}. To resume, the registry's word comes behind
-- it: the member's JSON, its grants or '', fields and values of the mesh.

local k, who = names(KEYS), whom(ARGV)
local edge, conn, lifetime = ARGV[6], ARGV[7], tonumber(ARGV[8])
local member, key, kind, flags, json = ARGV[9], ARGV[10], ARGV[11], ARGV[12], ARGV[13]
local event, data, named, capacity = ARGV[14], ARGV[15], ARGV[16], tonumber(ARGV[17])
local expected, grants, mesh, known = ARGV[18], KEYS[12], KEYS[13], ARGV[19]

if redis.call('HEXISTS', k.bans, member) == 1 then
  return { 'banned' }
end
if redis.call('HEXISTS', k.members, member) == 0 then
  return { 'stranger' }
end

local value, rec, newest = stand(k, who.peer)
if expected ~= '' then
  if redis.call('HEXISTS', mesh, 'archived') == 1 then
    return { 'stranger' }
  end
  -- By order, a lease newer than the record is a newer attachment too.
  if not rec or rec.gen ~= expected or newest > tonumber(expected)
    or rec.member ~= member or rec.key ~= key or rec.kind ~= kind then
    return { 'passed' }
  end
  flags = rec.flags
end
local socket_may_live = (value and not is_detached(value)) or (rec and not value)

-- A record is not resumed by another member, and one that nobody was told of
-- not by a connection that others shall know: both would go unannounced.
local resumes = rec and rec.member == member and not (has(rec.flags, 't') and not has(flags, 't'))

-- Passing connections have as many places again, so that they never take the
-- place of a peer and the roster still has a bound.
local function is_full()
  if capacity == 0 then
    return false
  end
  local passing, all = redis.call('SCARD', k.transients), redis.call('HLEN', k.roster)
  if rec then
    all = all - 1
    passing = passing - redis.call('SISMEMBER', k.transients, who.peer)
  end
  if has(flags, 't') then
    return passing >= capacity
  end
  return all - passing >= capacity
end

if not resumes and is_full() then
  return { 'full' }
end

local us = now_us()
local now, gen = math.floor(us / 1000), text(math.max(newest + 1, us))
local outcome, forgotten = 'resumed', false
if not resumes then
  outcome = 'joined'
  if rec then
    depart(k, who, rec)
  end
  rec = {
    member = member, key = key, kind = kind, flags = flags, connected = text(now),
    status = 'idle', source = 'jsonl', at = text(now), json = json,
  }
  -- Others who were told in another epoch that it is here know no better.
  forgotten = known ~= '' and known ~= redis.call('HGET', k.head, 'epoch')
  if event ~= '' and has(flags, 'a') and not forgotten then
    journal_append(k.journal, k.head, who.channel, who.epoch,
      peer_event(who, rec, event, event_id(who, gen, event, ''), has(flags, 'e'), data))
  end
elseif value and not is_detached(value) then
  outcome = 'took_over'
end
rec.gen = gen

local head = redis.call('HMGET', k.head, 'epoch', 'jseq', 'jid')
if not head[1] then
  redis.call('HSET', k.head, 'epoch', who.epoch)
end
local epoch, jseq, jid = head[1] or who.epoch, tonumber(head[2] or 0), head[3] or ''
local start, resync = epoch .. '/' .. text(jseq) .. '/' .. jid, ''
if outcome ~= 'joined' then
  -- A client that names a cursor knows best what it has seen; going on from a
  -- newer stored one instead would skip what it lost.
  local seen = named ~= '' and named or redis.call('HGET', k.cursors, who.peer) or ''
  if seen ~= '' and reaches(k.journal, seen, epoch, jseq, jid) then
    start = seen
  else
    resync = 'resync'
  end
else
  redis.call('HSET', k.cursors, who.peer, start)
  resync = forgotten and 'resync' or ''
end

local ends = text(now + lifetime)
redis.call('SET', k.lease, gen .. '/' .. edge .. '/' .. conn, 'PXAT', ends)
redis.call('ZADD', k.due, ends, who.due)
redis.call('HSET', k.roster, who.peer, format_record(rec))
if has(rec.flags, 't') then
  redis.call('SADD', k.transients, who.peer)
end
if socket_may_live then
  bell(who.channel, 'taken\031' .. who.peer .. '\031' .. gen)
end
local answer = { outcome, gen, outcome == 'took_over' and value or '', start, resync, format_record(rec) }
if expected ~= '' then
  answer[7] = redis.call('HGET', k.members, member)
  answer[8] = redis.call('HGET', grants, member) or ''
  for _, part in ipairs(redis.call('HGETALL', mesh)) do
    answer[#answer + 1] = part
  end
end
return answer
