-- A fragment: what a script does is told in the mesh's audit log by the same
-- script. The hashes that chain the entries are added later, see seal.lua:
-- Lua has no SHA-256.
local function audit(log, event, actor, payload)
  redis.call('XADD', log, '*', 'event', event, 'actor', actor, 'payload', payload)
end
