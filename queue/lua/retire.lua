#!lua flags=allow-oom
-- Move what has waited too long in one lane to the dead letters.
--
-- KEYS[1]  head            KEYS[2]  inbox (prefix)   KEYS[3]  waits
-- KEYS[4]  tries (prefix)  KEYS[5]  dead             KEYS[6]  buried
-- ARGV[1]  mesh            ARGV[2]  inbox            ARGV[3]  lane
-- ARGV[4]  retention, ms   ARGV[5]  most messages
-- ARGV[6]  most dead letters, ARGV[7] most bytes of them, ARGV[8] ms to keep them
--
-- Returns {'ok', how many were moved}.

local box = {mesh = ARGV[1], head = KEYS[1], inboxes = KEYS[2], waits = KEYS[3], tries = KEYS[4]}
local grave = {head = KEYS[1], dead = KEYS[5], buried = KEYS[6]}
local key, lane, retention, most = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local most_dead, most_bytes, keep = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])

local now, stream = now_ms(), inbox_lane(box, key, lane)

-- Drops the oldest dead letter if it must go. Its id is the time of its burial.
local function drop_oldest()
  local oldest = redis.call('XRANGE', grave.dead, '-', '+', 'COUNT', 1)[1]
  if not oldest then
    return false
  end
  local overfull = redis.call('XLEN', grave.dead) > most_dead
    or tonumber(redis.call('HGET', grave.head, 'dead')) > most_bytes
    or tonumber(string.match(oldest[1], '^%d+')) < now - keep
  if overfull then
    dead_remove(grave, oldest[1], oldest[2])
  end
  return overfull
end

local moved = 0
for _, entry in ipairs(redis.call('XRANGE', stream, '-', '+', 'COUNT', most)) do
  local seq, fields = string.match(entry[1], '^%d+'), entry[2]
  if tonumber(inbox_since(fields)) > now - retention then
    break
  end
  dead_bury(grave, key, lane, seq, fields)
  inbox_remove(box, key, lane, seq, fields)
  moved = moved + 1
end
if moved > 0 then
  redis.call('PEXPIRE', grave.dead, text(keep))
  redis.call('PEXPIRE', grave.buried, text(keep))
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
  redis.call('ZADD', box.waits, inbox_since(oldest[2]), waiting)
else
  redis.call('ZREM', box.waits, waiting)
end
return {'ok', moved}
