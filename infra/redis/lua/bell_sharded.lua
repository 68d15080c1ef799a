-- The bell of a cluster: the channel carries the tag of the keys, so it rings on
-- the node that runs this, and reaches no other.
-- Returns how many heard it.
local function bell(channel, message)
  return redis.call('SPUBLISH', channel, message)
end
