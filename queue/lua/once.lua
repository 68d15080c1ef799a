-- Fragment: what is remembered for a day, in five hashes PREFIX:0 to PREFIX:4
-- that take turns. The running one and the three before it are consulted; a
-- bucket expires as a whole when the fifth after it could want its place.
-- Their names follow from Redis's clock, so scripts get the prefix.

local BUCKETS = 5
local BUCKETS_USED = 4

local function bucket_key(prefix, index)
  return prefix .. ':' .. text(index % BUCKETS)
end

-- Stores a field in the running bucket.
local function bucket_store(prefix, field, value, now, length)
  local index = math.floor(now / length)
  local key = bucket_key(prefix, index)
  redis.call('HSET', key, field, value)
  if redis.call('HLEN', key) == 1 then
    redis.call('PEXPIREAT', key, text((index + BUCKETS_USED) * length))
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

local function once_store(once, field, print, id, now, length)
  if field ~= '' then
    bucket_store(once, field, id .. print, now, length)
  end
end

-- Tracks a message: when it was delivered, '0' if it was not yet.
local function track_store(track, id, target, delivered, now, length)
  bucket_store(track, string.sub(id, 1, 8), string.sub(id, 9) .. ' ' .. target .. ' ' .. delivered, now, length)
end

-- Marks a tracked message; one that is no longer remembered stays forgotten.
local function track_mark(track, id, delivered, now, length)
  local head = string.sub(id, 1, 8)
  local value, key = bucket_find(track, head, now, length)
  if value and string.sub(value, 1, 24) == string.sub(id, 9) then
    redis.call('HSET', key, head, string.match(value, '^.* ') .. delivered)
  end
end
