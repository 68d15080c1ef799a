#!lua
-- Append a broadcast or group message to the journal and ring in the mesh.
--
-- KEYS[1]  lease of the sender  KEYS[2]  rate buckets     KEYS[3]  once (prefix)
-- KEYS[4]  track (prefix)       KEYS[5]  journal          KEYS[6]  head
-- KEYS[7]  members              KEYS[8]  bans             KEYS[9]  history of the topic
-- ARGV[1]  lease value          ARGV[2]  sends a minute   ARGV[3]  burst
-- ARGV[4]  client id, hashed    ARGV[5]  fingerprint, hashed
-- ARGV[6]  bucket length, ms    ARGV[7]  sender's member  ARGV[8]  sender's PEER
-- ARGV[9]  target               ARGV[10] tail of the id   ARGV[11] body
-- ARGV[12] mesh bell            ARGV[13] epoch for a mesh without one
-- ARGV[14] kind, 'msg' or 'topic'                         ARGV[15] target as sent
-- ARGV[16] most messages and ARGV[17] most bytes of a history
--
-- Returns {'ok', id}, {'duplicate', first id}, {'lost'}, {'not_member'}, {'rate'}
-- or {'fingerprint'}.

local lease, rate, once, track, journal, head = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local holder, per_minute, burst = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local once_field, print, bucket = ARGV[4], ARGV[5], tonumber(ARGV[6])
local member, peer, target, tail, body = ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11]
local channel, epoch, kind, spec = ARGV[12], ARGV[13], ARGV[14], ARGV[15]

local barred = actor_refused(lease, holder, KEYS[7], KEYS[8], member)
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

-- Members of a topic see on all their connections what one of them says.
local seq, id = journal_append(journal, head, channel, epoch, {
  id = '', tail = tail, kind = kind, event = '', member = member, peer = peer, target = target,
  flags = kind == 'msg' and 's' or '-', body = body,
})
if kind == 'topic' then
  history_append(KEYS[9], seq, id, now, member, peer, body, tonumber(ARGV[16]), tonumber(ARGV[17]))
end
once_store(once, once_field, print, id, now, bucket)
track_store(track, id, spec, text(now), now, bucket)
return {'ok', id}
