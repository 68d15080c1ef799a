-- A bell is a hint: what must not be lost is in a key first.
-- Returns how many heard it.
local function bell(channel, message)
  return redis.call('PUBLISH', channel, message)
end
