#!lua flags=allow-oom
-- Move what has waited too long in one lane to the dead letters.
--
-- KEYS[1]  head            KEYS[2]  inbox (prefix)   KEYS[3]  waits
-- KEYS[4]  tries (prefix)  KEYS[5]  dead
-- ARGV[1]  mesh            ARGV[2]  inbox            ARGV[3]  lane
-- ARGV[4]  retention, ms   ARGV[5]  most messages
-- ARGV[6]  most dead letters, ARGV[7] most bytes of them, ARGV[8] ms to keep them
--
-- Returns {'ok', how many were moved}.

local head, dead = KEYS[1], KEYS[5]
local box = {mesh = ARGV[1], head = head, inboxes = KEYS[2], waits = KEYS[3], tries = KEYS[4]}
local key, lane, retention, most = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local most_dead, most_bytes, keep = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])

local now, stream = now_ms(), inbox_lane(box, key, lane)

local function bury(seq, fields)
  local size = redis.call('EXISTS', dead) == 1 and tonumber(redis.call('HGET', head, 'dead') or '0') or 0
  redis.call('XADD', dead, '*', 'reason', 'expired', 'inbox', key, 'lane', lane, 'seq', seq, unpack(fields))
  redis.call('HSET', head, 'dead', text(size + inbox_size(fields)))
end

-- Whether the oldest dead letter must go. Its id is the time of its burial.
local function overfull(oldest)
  return redis.call('XLEN', dead) > most_dead
    or tonumber(redis.call('HGET', head, 'dead')) > most_bytes
    or tonumber(string.match(oldest[1], '^%d+')) < now - keep
end

local function drop_oldest()
  local oldest = redis.call('XRANGE', dead, '-', '+', 'COUNT', 1)[1]
  if not oldest or not overfull(oldest) then
    return false
  end
  local fields = oldest[2]
  redis.call('XDEL', dead, oldest[1])
  -- The first four fields were added by bury and are not counted.
  local size = inbox_size(fields) - #fields[2] - #fields[4] - #fields[6] - #fields[8]
  redis.call('HSET', head, 'dead', text(tonumber(redis.call('HGET', head, 'dead')) - size))
  return true
end

local moved = 0
for _, entry in ipairs(redis.call('XRANGE', stream, '-', '+', 'COUNT', most)) do
  local seq, fields = string.match(entry[1], '^%d+'), entry[2]
  if tonumber(fields[4]) > now - retention then
    break
  end
  bury(seq, fields)
  inbox_remove(box, key, lane, seq, fields)
  moved = moved + 1
end
if moved > 0 then
  redis.call('PEXPIRE', dead, text(keep))
  for _ = 1, moved + 20 do
    if not drop_oldest() then
      break
    end
  end
end

-- Acks leave the score behind: it is set right here.
local waiting = box.mesh .. ':' .. key .. ':' .. lane
local oldest = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
if oldest then
  redis.call('ZADD', box.waits, oldest[2][4], waiting)
else
  redis.call('ZREM', box.waits, waiting)
end
return {'ok', moved}
