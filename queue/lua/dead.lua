-- Fragment: dead letters, the messages that nobody fetched in time.
--
-- A grave is a table of names: head, dead, buried. The stream dead is ordered
-- by burial; the hash buried finds a letter in it by its message id. What all
-- of them count together is head's field dead. An entry has four fields of its
-- own, reason, inbox, lane and seq, and then those of the message.

local DEAD_OWN = 8

-- The fields of the message in a dead letter.
local function dead_message(fields)
  local out = {}
  for i = DEAD_OWN + 1, #fields do
    out[#out + 1] = fields[i]
  end
  return out
end

local function dead_bury(grave, key, lane, seq, fields)
  local known = redis.call('EXISTS', grave.dead) == 1 and redis.call('HGET', grave.head, 'dead')
  local at = redis.call('XADD', grave.dead, '*', 'reason', 'expired', 'inbox', key, 'lane', lane, 'seq', seq, unpack(fields))
  redis.call('HSET', grave.buried, inbox_message_id(seq, fields), at)
  redis.call('HSET', grave.head, 'dead', text(tonumber(known or '0') + inbox_size(fields)))
end

-- Returns the entry of that message and its fields, or nothing.
local function dead_find(grave, id)
  local at = redis.call('HGET', grave.buried, id)
  local found = at and redis.call('XRANGE', grave.dead, at, at)[1]
  if found then
    return at, found[2]
  end
end

local function dead_remove(grave, at, fields)
  local message = dead_message(fields)
  redis.call('XDEL', grave.dead, at)
  redis.call('HDEL', grave.buried, inbox_message_id(fields[DEAD_OWN], message))
  if redis.call('XLEN', grave.dead) == 0 then
    redis.call('DEL', grave.dead)
    redis.call('HDEL', grave.head, 'dead')
    return
  end
  local size = tonumber(redis.call('HGET', grave.head, 'dead') or '0') - inbox_size(message)
  redis.call('HSET', grave.head, 'dead', text(math.max(0, size)))
end
