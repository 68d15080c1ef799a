#!lua
-- Change what a mesh shares: any number of fields of any number of shelves, and
-- what is told about it, or nothing at all.
--
-- KEYS[1]  lease of the one who acts   KEYS[2]  journal     KEYS[3]  head
-- KEYS[4]  sizes                       KEYS[5]  jobs        KEYS[6]  rate buckets
-- KEYS[7…] shelves, one hash each, then those that are dropped
-- ARGV[1]  lease value, '' when nobody present acts
-- ARGV[2]  mesh bell   ARGV[3]  epoch for a mesh without one   ARGV[4]  mesh
-- ARGV[5]  bytes that all shelves may hold together
-- ARGV[6]  bucket to charge, '' for none   ARGV[7]  tokens a minute   ARGV[8]  burst
-- ARGV[9]  number of changes, then for each of them:
--            number of its shelf in KEYS[7…], name of the shelf, field,
--            condition: 'any', or 'is' with the value that the field must have
--            ('' for a field that is not there),
--            that value, verb: 'set', 'delete' or 'keep', new value,
--            fields and bytes that the shelf may hold,
--            due: ms at which the field's job is due, '' to leave it, '0' for none
--          number of entries, then for each of them:
--            id, tail, kind, event, member, PEER, target, flags, body
--          number of shelves that are dropped, with all that they hold, then the
--            name of each: they have no jobs, and none of the changes
--
-- Returns {'ok', now, seq…}, {'lost'}, {'rate'}, {'conflict', n} or
-- {'full', n}, where n counts the changes from 1.

local lease, journal, head, sizes, jobs, rate = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local SHELVES = 6
local channel, epoch, mesh, mesh_bytes = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])

if ARGV[1] ~= '' and redis.call('GET', lease) ~= ARGV[1] then
  return { 'lost' }
end
local now = now_ms()
if ARGV[6] ~= '' and not rate_charge(rate, ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8]), now) then
  return { 'rate' }
end

local at = 9
local function take()
  at = at + 1
  return ARGV[at - 1]
end

-- What the shelves will hold, by name.
local count, bytes, total = {}, {}, tonumber(redis.call('HGET', sizes, 'total') or '0')

local function measure(shelf, name)
  if not count[name] then
    count[name] = redis.call('HLEN', shelf)
    bytes[name] = tonumber(redis.call('HGET', sizes, name) or '0')
  end
end

-- Everything is checked before anything is written.
local changes = {}
for n = 1, tonumber(take()) do
  local c = {
    shelf = KEYS[SHELVES + tonumber(take())], name = take(), field = take(), condition = take(), expected = take(),
    verb = take(), value = take(), fields = tonumber(take()), bytes = tonumber(take()), due = take(),
  }
  local old = redis.call('HGET', c.shelf, c.field)
  if c.condition == 'is' and (old or '') ~= c.expected then
    return { 'conflict', text(n) }
  end
  measure(c.shelf, c.name)
  local before = old and #c.field + #old or 0
  local after = before
  if c.verb == 'set' then
    after = #c.field + #c.value
    count[c.name] = count[c.name] + (old and 0 or 1)
  elseif c.verb == 'delete' then
    after = 0
    count[c.name] = count[c.name] - (old and 1 or 0)
  end
  bytes[c.name], total = bytes[c.name] + after - before, total + after - before
  -- What does not grow is never refused: a full shelf can be tidied.
  if after > before and (count[c.name] > c.fields or bytes[c.name] > c.bytes or total > mesh_bytes) then
    return { 'full', text(n) }
  end
  changes[n] = c
end

-- Told first: if what follows failed, the change would be told again, never
-- made in silence.
local out = { 'ok', text(now) }
for _ = 1, tonumber(take()) do
  local e = {
    id = take(), tail = take(), kind = take(), event = take(), member = take(),
    peer = take(), target = take(), flags = take(), body = take(),
  }
  out[#out + 1] = text((journal_append(journal, head, channel, epoch, e)))
end

for _, c in ipairs(changes) do
  if c.verb == 'set' then
    redis.call('HSET', c.shelf, c.field, c.value)
  elseif c.verb == 'delete' then
    redis.call('HDEL', c.shelf, c.field)
  end
  local job = mesh .. ':' .. c.name .. ':' .. c.field
  if c.due == '0' then
    redis.call('ZREM', jobs, job)
  elseif c.due ~= '' then
    redis.call('ZADD', jobs, c.due, job)
  end
end
for name, n in pairs(bytes) do
  if n > 0 then
    redis.call('HSET', sizes, name, text(n))
  else
    redis.call('HDEL', sizes, name)
  end
end
local dropped = tonumber(take())
for n = 1, dropped do
  local name = take()
  total = total - tonumber(redis.call('HGET', sizes, name) or '0')
  redis.call('HDEL', sizes, name)
  redis.call('DEL', KEYS[#KEYS - dropped + n])
end
if #changes + dropped > 0 then
  redis.call('HSET', sizes, 'total', text(math.max(0, total)))
end
return out
