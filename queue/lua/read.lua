#!lua flags=no-writes
-- Read one lane of an inbox in order.
--
-- KEYS[1]  inbox lane
-- ARGV[1]  SEQ behind which to start
-- ARGV[2]  most entries   ARGV[3]  most bytes, unless the first alone is larger
--
-- Returns {'ok', entry…} with entries as XRANGE gives them.

local stream = KEYS[1]
local from, most, most_bytes = '(' .. ARGV[1] .. '-0', tonumber(ARGV[2]), tonumber(ARGV[3])

-- Fetched in small portions, because the bodies decide how many are wanted.
local PORTION = 16

local function size_of(fields)
  local size = 0
  for i = 2, #fields, 2 do
    size = size + #fields[i]
  end
  return size
end

local out, bytes = {'ok'}, 0
while #out <= most do
  local portion = redis.call('XRANGE', stream, from, '+', 'COUNT', math.min(PORTION, most - #out + 1))
  for _, entry in ipairs(portion) do
    bytes = bytes + size_of(entry[2])
    if bytes > most_bytes and #out > 1 then
      return out
    end
    out[#out + 1] = entry
    from = '(' .. entry[1]
  end
  if #portion < PORTION then
    return out
  end
end
return out
