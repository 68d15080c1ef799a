-- Offered to every script. Redis's clock decides all times, so that no edge's
-- clock has to be right.

local function now_us()
  local t = redis.call('TIME')
  return t[1] * 1000000 + t[2]
end

local function now_ms()
  return math.floor(now_us() / 1000)
end

-- Decimal text of a whole number: tostring() would write 1.7e+15. ("%.0f" would
-- do, and take three times as long.)
local format = string.format
local function text(n)
  return format('%d', n)
end
