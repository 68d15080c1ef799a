#!lua
-- Change fields of a mesh.
--
-- KEYS[1]  mesh   mesh:{p}:MESH
-- KEYS[2]  audit  audit:{p}:MESH
-- ARGV[1]  bell's word, ARGV[2] channel of the mesh
-- ARGV[3]  event, ARGV[4] actor, ARGV[5] payload of the audit log
-- ARGV[6]  field, ARGV[7] value, and so on; of the field 'archived', the value
--          is Redis's clock
--
-- Returns ok or no_mesh.

local mesh, log = KEYS[1], KEYS[2]
local word, channel = ARGV[1], ARGV[2]

if redis.call('EXISTS', mesh) == 0 or redis.call('HEXISTS', mesh, 'archived') == 1 then
  return 'no_mesh'
end
for i = 6, #ARGV, 2 do
  local field, value = ARGV[i], ARGV[i + 1]
  redis.call('HSET', mesh, field, field == 'archived' and text(now_ms()) or value)
end
audit(log, ARGV[3], ARGV[4], ARGV[5])
bell(channel, word)
return 'ok'
