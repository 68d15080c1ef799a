#!lua flags=allow-oom
-- Say of a peer that others know of, and of whom Redis has lost every trace,
-- that it has left. Every edge that knew it calls this; the first one is heard.
--
-- KEYS       as named in record.lua
-- KEYS[12]   set of those of whom it was said, with the epoch in which it was
-- ARGV[1-5]  as named in record.lua
-- ARGV[6]    run id of the Redis process that the caller trusts, '' for any
-- ARGV[7]    ms after which this must not run any more, '0' for never
-- ARGV[8]    member key of the peer
-- ARGV[9]    key shown to others
-- ARGV[10]   flags
-- ARGV[11]   data of peer_left, a JSON object
-- ARGV[12]   how long to remember that it was said, in milliseconds
-- ARGV[13]   cursor up to which the caller has heard the journal
-- ARGV[14]   how many entries behind the head that may be
--
-- Returns {'left', generation, SEQ of peer_left}; {} when the peer is known
-- here, when its leaving was said before, or when the caller's trust has ended;
-- {'behind'} when the caller has to read the journal first.

local function fields(entry)
  local f = {}
  for i = 1, #entry[2], 2 do
    f[entry[2][i]] = entry[2][i + 1]
  end
  return f
end

local k, who = names(KEYS), whom(ARGV)
local said, run_id, latest = KEYS[12], ARGV[6], tonumber(ARGV[7])
local member, key, flags, data, remember = ARGV[8], ARGV[9], ARGV[10], ARGV[11], ARGV[12]
local heard, most = ARGV[13], tonumber(ARGV[14])

if latest > 0 and now_ms() > latest then
  return {}
end
if run_id ~= '' and string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') ~= run_id then
  return {}
end
if redis.call('EXISTS', k.lease) == 1 or redis.call('HEXISTS', k.roster, who.peer) == 1 then
  return {}
end
local head = redis.call('HMGET', k.head, 'epoch', 'jseq', 'jid')
local epoch, jseq = head[1] or who.epoch, tonumber(head[2] or 0)
if not reaches(k.journal, heard, epoch, jseq, head[3] or '') then
  return { 'behind' }
end
-- What the caller has yet to hear may say that the peer has left: then Redis has
-- not lost it, and nobody is to be told twice.
local at = tonumber(string.match(heard, '/(%d+)/'))
if jseq - at > most then
  return { 'behind' }
end
local ahead = jseq > at and redis.call('XRANGE', k.journal, text(at + 1) .. '-0', '+', 'COUNT', most) or {}
if #ahead < jseq - at then
  return { 'behind' }
end
for _, entry in ipairs(ahead) do
  local f = fields(entry)
  if f.peer == who.peer and (f.event == 'peer_left' or f.event == 'peer_hidden') then
    return {}
  end
end
-- Lost once more, it is in another epoch.
local mark = who.peer .. ':' .. epoch
if redis.call('SISMEMBER', said, mark) == 1 then
  return {}
end

-- Its generation is lost too. Whatever it owned is of an older one than now,
-- and should it come back, it gets a newer one.
local gen = text(now_us())
local rec = { gen = gen, member = member, key = key }
local seq = journal_append(k.journal, k.head, who.channel, epoch,
  peer_event(who, rec, 'peer_left', event_id(who, epoch, 'peer_left', ''), has(flags, 'e'), data))
redis.call('SADD', said, mark)
redis.call('PEXPIRE', said, remember)
redis.call('ZADD', k.cleanup, text(now_ms() + who.repeat_after),
  table.concat({ who.mesh, who.peer, gen, member, key }, ':'))
return { 'left', gen, text(tonumber(seq)) }
