#!lua
-- Append a broadcast or group message to the journal and ring in the mesh.
--
-- KEYS[1]  lease of the sender  KEYS[2]  rate buckets     KEYS[3]  once (prefix)
-- KEYS[4]  track (prefix)       KEYS[5]  journal          KEYS[6]  head
-- ARGV[1]  lease value          ARGV[2]  sends a minute   ARGV[3]  burst
-- ARGV[4]  client id, hashed    ARGV[5]  fingerprint, hashed
-- ARGV[6]  bucket length, ms    ARGV[7]  sender's member  ARGV[8]  sender's PEER
-- ARGV[9]  target               ARGV[10] tail of the id   ARGV[11] body
-- ARGV[12] mesh bell            ARGV[13] epoch for a mesh without one
--
-- Returns {'ok', id}, {'duplicate', first id}, {'lost'}, {'rate'} or
-- {'fingerprint'}.

local lease, rate, once, track, journal, head = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local holder, per_minute, burst = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local once_field, print, bucket = ARGV[4], ARGV[5], tonumber(ARGV[6])
local member, peer, target, tail, body = ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11]
local channel, epoch = ARGV[12], ARGV[13]

if redis.call('GET', lease) ~= holder then
  return {'lost'}
end
local now = now_ms()
if not rate_charge(rate, member, per_minute, burst, now) then
  return {'rate'}
end
local answer = once_answer(once, once_field, print, now, bucket)
if answer then
  return answer
end

local _, id = journal_append(journal, head, channel, epoch, {
  id = '', tail = tail, kind = 'msg', event = '', member = member, peer = peer, target = target, flags = 's', body = body,
})
once_store(once, once_field, print, id, now, bucket)
track_store(track, id, target, text(now), now, bucket)
return {'ok', id}
