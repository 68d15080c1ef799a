#!lua flags=allow-oom
-- Count one confirmed push of each message to a reader that never acks, and
-- remove those that have had enough.
--
-- KEYS[1]  lease of the reader   KEYS[2]  head    KEYS[3]  inbox (prefix)
-- KEYS[4]  waits                 KEYS[5]  tries (prefix)
-- KEYS[6]  track (prefix)
-- ARGV[1]  lease value           ARGV[2]  mesh    ARGV[3]  bucket length, ms
-- ARGV[4]  inbox                 ARGV[5]  lane    ARGV[6]  pushes that are enough
-- ARGV[7]  ms after which the counts may be forgotten
-- ARGV[8…] SEQs
--
-- Returns {'ok'} or {'lost'}.

local lease, track = KEYS[1], KEYS[6]
local box = {mesh = ARGV[2], head = KEYS[2], inboxes = KEYS[3], waits = KEYS[4], tries = KEYS[5]}
local holder, bucket, key, lane = ARGV[1], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local enough, keep = tonumber(ARGV[6]), ARGV[7]

if redis.call('GET', lease) ~= holder then
  return {'lost'}
end
local now, tries = now_ms(), box.tries .. ':' .. key

local function confirm(seq)
  local fields = inbox_find(box, key, lane, seq)
  if not fields then
    return
  end
  if redis.call('HINCRBY', tries, seq, 1) >= enough then
    track_mark(track, inbox_message_id(seq, fields), '-' .. text(now), now, bucket)
    inbox_remove(box, key, lane, seq, fields)
  end
end

for i = 8, #ARGV do
  confirm(ARGV[i])
end
redis.call('PEXPIRE', tries, keep)
return {'ok'}
