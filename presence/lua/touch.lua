#!lua flags=allow-oom
-- Touch leases whose indexed time has come. Redis notices that a key has
-- expired when somebody reads it; only then does the event go out. A lease that
-- is alive, because it was renewed, is indexed at its real end.
--
-- KEYS[1]   due
-- KEYS[i]   lease of the member in ARGV[i-1]
-- ARGV[i]   member of the due index
--
-- Returns the members whose lease is gone.

local due = KEYS[1]

-- A lease without an end can only be made by hand. It must not be looked at
-- without pause.
local NO_TTL_MS = 60000

local now, gone = now_ms(), {}
for i, member in ipairs(ARGV) do
  local ttl = redis.call('PTTL', KEYS[i + 1])
  if ttl == -2 then
    gone[#gone + 1] = member
  else
    -- XX: who has left meanwhile must not come back into the index.
    redis.call('ZADD', due, 'XX', text(now + (ttl < 0 and NO_TTL_MS or ttl)), member)
  end
end
return gone
