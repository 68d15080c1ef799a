-- Fragment: the candidates of an inbox, best first, as a list of
-- RANK/PEER/GENERATION/EDGE/MEMBER separated by spaces.

-- Reads the first of a list. It looks for what separates rather than matching a
-- pattern, because every send does this.
local function reader_parse(s)
  local find, sub = string.find, string.sub
  local a = find(s, '/', 1, true)
  local b = a and find(s, '/', a + 1, true)
  local c = b and find(s, '/', b + 1, true)
  local d = c and find(s, '/', c + 1, true)
  if d then
    return {
      rank = tonumber(sub(s, 1, a - 1)), peer = sub(s, a + 1, b - 1), generation = sub(s, b + 1, c - 1),
      edge = sub(s, c + 1, d - 1), member = sub(s, d + 1, (find(s, ' ', d + 1, true) or #s + 1) - 1),
    }
  end
end

-- The best candidate, leaving out one PEER if that is given. Usually it is the
-- first, so the others are not looked at before.
local function reader_best(list, except)
  local first = reader_parse(list or '')
  if not first or first.peer ~= except then
    return first
  end
  for s in string.gmatch(list, '%S+') do
    local r = reader_parse(s)
    if r and r.peer ~= except then
      return r
    end
  end
end

local function readers_parse(list)
  local out = {}
  for s in string.gmatch(list or '', '%S+') do
    out[#out + 1] = reader_parse(s)
  end
  return out
end

local function readers_store(key, field, readers)
  if #readers == 0 then
    redis.call('HDEL', key, field)
    return
  end
  local out = {}
  for i, r in ipairs(readers) do
    out[i] = table.concat({text(r.rank), r.peer, r.generation, r.edge, r.member}, '/')
  end
  redis.call('HSET', key, field, table.concat(out, ' '))
end

local function readers_index(readers, peer)
  for i, r in ipairs(readers) do
    if r.peer == peer then
      return i
    end
  end
end

-- Inserts behind those of the same rank: who came first reads first.
local function readers_insert(readers, reader)
  local i = #readers
  while i > 0 and readers[i].rank > reader.rank do
    i = i - 1
  end
  table.insert(readers, i + 1, reader)
end

-- Whether generation a is newer than b. They are decimal and too long for some
-- number parsers, but compare well as text.
local function generation_after(a, b)
  if #a ~= #b then
    return #a > #b
  end
  return a > b
end

-- Says at one edge who reads inbox from now on.
local function reader_ring(bells, edge, inbox, now)
  bell(bells .. edge, table.concat({'reader', inbox, now.peer, now.generation}, '\31'))
end
