-- Fragment: what is remembered for a day, in five hashes PREFIX:0 to PREFIX:4
-- that take turns. The running one and the three before it are consulted; a
-- bucket expires as a whole when the fifth after it could want its place.
-- Their names follow from Redis's clock, so scripts get the prefix.

local BUCKETS = 5
local BUCKETS_USED = 4

-- How many there are has one digit, and this is the quickest way to write it.
local DIGIT_0 = 48

local function bucket_key(prefix, index)
  return prefix .. ':' .. string.char(DIGIT_0 + index % BUCKETS)
end

-- When the running bucket expires, as text.
local function bucket_ends(now, length)
  return text((math.floor(now / length) + BUCKETS_USED) * length)
end

-- Stores a field in the running bucket. Whoever knows that the bucket was there
-- already need not have it looked at.
local function bucket_store(prefix, field, value, now, length, there)
  local key = bucket_key(prefix, math.floor(now / length))
  redis.call('HSET', key, field, value)
  if not there and redis.call('HLEN', key) == 1 then
    redis.call('PEXPIREAT', key, bucket_ends(now, length))
  end
end

-- Returns the value and the key of the bucket that has it, or nothing.
local function bucket_find(prefix, field, now, length)
  local index = math.floor(now / length)
  for i = index, index - BUCKETS_USED + 1, -1 do
    local key = bucket_key(prefix, i)
    local value = redis.call('HGET', key, field)
    if value then
      return value, key
    end
  end
end

-- The answer to a send whose id has been used, or nothing. An empty field means
-- that the client gave no id.
local function once_answer(once, field, print, now, length)
  local first = field ~= '' and bucket_find(once, field, now, length)
  if not first then
    return nil
  end
  if string.sub(first, 33) ~= print then
    return {'fingerprint'}
  end
  return {'duplicate', string.sub(first, 1, 32)}
end

local function once_store(once, field, print, id, now, length, there)
  if field ~= '' then
    bucket_store(once, field, id .. print, now, length, there)
  end
end

-- Where the target begins in the value of a tracked message, behind the tail of
-- the id and a space.
local TRACK_TARGET = 26

-- Tracks a message: when it was delivered, '0' if it was not yet.
local function track_store(track, id, target, delivered, now, length, there)
  local value = string.sub(id, 9) .. ' ' .. target .. ' ' .. delivered
  bucket_store(track, string.sub(id, 1, 8), value, now, length, there)
end

-- Marks a tracked direct message; one that is no longer remembered stays
-- forgotten.
local function track_mark(track, id, delivered, now, length)
  local head = string.sub(id, 1, 8)
  local value, key = bucket_find(track, head, now, length)
  if value and string.sub(value, 1, 24) == string.sub(id, 9) then
    -- The target of a direct message is a key: no space is in it.
    redis.call('HSET', key, head, string.sub(value, 1, string.find(value, ' ', TRACK_TARGET, true)) .. delivered)
  end
end
