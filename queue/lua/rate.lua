-- Fragment: token buckets.
--
-- rate_charge(rate, field, per_minute, burst, now) → whether a token was there.
--
-- A bucket is "UNITS MS": a token is 60,000 units and every millisecond brings
-- per_minute of them, so that fractions are kept in whole numbers. A bucket that
-- is not there is full. A per_minute of 0 means no limit.

local RATE_TOKEN = 60000
local RATE_KEEP_MS = 7200000
-- How often a sender sees to it that the buckets are kept.
local RATE_LOOK_MS = 60000

local function rate_charge(rate, field, per_minute, burst, now)
  if per_minute <= 0 then
    return true
  end
  local full = burst * RATE_TOKEN
  local bucket = redis.call('HGET', rate, field)
  local space = bucket and string.find(bucket, ' ', 1, true)
  local units = space and tonumber(string.sub(bucket, 1, space - 1)) or full
  local at = space and tonumber(string.sub(bucket, space + 1)) or now
  -- A clock that went back brings nothing and takes nothing.
  units = math.min(full, units + math.max(0, now - at) * per_minute)
  if units < RATE_TOKEN then
    return false
  end
  redis.call('HSET', rate, field, text(units - RATE_TOKEN) .. ' ' .. text(now))
  -- Rarely looked at and more rarely written, but never gone while a bucket of
  -- a sender is filling.
  if space and math.floor(now / RATE_LOOK_MS) == math.floor(at / RATE_LOOK_MS) then
    return true
  end
  if redis.call('PTTL', rate) < math.max(RATE_KEEP_MS / 2, full / per_minute) + RATE_LOOK_MS then
    redis.call('PEXPIRE', rate, math.ceil(math.max(RATE_KEEP_MS, 2 * full / per_minute)))
  end
  return true
end
