-- A bell is a hint: what must not be lost is in a key first.
local function bell(channel, message)
  redis.call('PUBLISH', channel, message)
end
