#!lua flags=allow-oom
-- Remove an acknowledged message from the inbox that holds it.
--
-- KEYS[1]  lease of the reader   KEYS[2]  head    KEYS[3]  inbox (prefix)
-- KEYS[4]  waits                 KEYS[5]  tries (prefix)
-- KEYS[6]  track (prefix)
-- ARGV[1]  lease value           ARGV[2]  mesh    ARGV[3]  bucket length, ms
-- ARGV[4]  SEQ                   ARGV[5]  message id
-- ARGV[6…] inboxes to look in
--
-- Returns {'ok', 1} if it was there, else {'ok', 0}; or {'lost'}.

local lease, track = KEYS[1], KEYS[6]
local box = {mesh = ARGV[2], head = KEYS[2], inboxes = KEYS[3], waits = KEYS[4], tries = KEYS[5]}
local holder, bucket, seq, id = ARGV[1], tonumber(ARGV[3]), ARGV[4], ARGV[5]

if redis.call('GET', lease) ~= holder then
  return {'lost'}
end

-- The inbox, the lane and the fields of the message, if it stands at that SEQ.
local function find(at)
  for i = 6, #ARGV do
    for _, lane in ipairs({'next', 'now', 'low'}) do
      local fields = inbox_find(box, ARGV[i], lane, at)
      if fields and inbox_is(fields, id) then
        return ARGV[i], lane, fields
      end
    end
  end
end

local inbox, lane, fields = find(seq)
if not inbox then
  seq = redis.call('HGET', box.head, inbox_moved(id))
  if seq then
    inbox, lane, fields = find(seq)
  end
end
if not inbox then
  return {'ok', 0}
end
local now = now_ms()
track_mark(track, id, text(now), now, bucket)
inbox_remove(box, inbox, lane, seq, fields)
return {'ok', 1}
