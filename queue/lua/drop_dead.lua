#!lua flags=allow-oom
-- Throw a dead letter away.
--
-- KEYS[1]  head   KEYS[2]  dead   KEYS[3]  buried
-- ARGV[1]  message id
--
-- Returns {'ok'} or {'not_found'}.

local grave = {head = KEYS[1], dead = KEYS[2], buried = KEYS[3]}

local at, fields = dead_find(grave, ARGV[1])
if not at then
  return {'not_found'}
end
dead_remove(grave, at, fields)
return {'ok'}
