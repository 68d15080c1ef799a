-- Fragment: the history of a topic, a stream with ids SEQ-0.
--
-- history_append(log, seq, id, at, member, peer, body, most, most_bytes)
--
-- Each entry carries the bytes of all entries up to it ('c'), so that the size
-- of what is there is a difference. The oldest entries make room.

-- Bounds the work of one append; a history over its bounds shrinks over several.
local HISTORY_REMOVALS = 20

local function history_total(entry)
  return tonumber(entry[2][2])
end

local function history_append(log, seq, id, at, member, peer, body, most, most_bytes)
  local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  local before = last and history_total(last) or 0
  -- A journal that went back numbers entries a second time.
  local newest = last and tonumber(string.match(last[1], '^%d+')) or 0
  local total = before + #body
  redis.call('XADD', log, text(math.max(seq, newest + 1)) .. '-0',
    'c', text(total), 'i', id, 'a', text(at), 'm', member, 'p', peer, 'b', body)
  local length = redis.call('XLEN', log)
  for _ = 1, HISTORY_REMOVALS do
    local oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
    local held = total - history_total(oldest) + #oldest[2][12]
    if length <= 1 or length <= most and held <= most_bytes then
      break
    end
    redis.call('XDEL', log, oldest[1])
    length = length - 1
  end
end
