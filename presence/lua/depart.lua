-- A fragment for the verbs by which a peer leaves: goodbye, settle, and attach
-- where a record of the peer is not one to resume.

-- Keeps the state of a hello connection for its member's next one, unless it
-- was only passing. Only enrolled members are kept, which bounds the hash.
local function save(k, rec, now)
  if has(rec.flags, 'h') and not has(rec.flags, 't') and redis.call('HEXISTS', k.members, rec.member) == 1 then
    redis.call('HSET', k.saved, rec.member, text(now) .. ' ' .. rec.json)
  end
end

local function left_body(rec)
  local ok, data = pcall(cjson.decode, rec.json)
  local name = ok and type(data) == 'table' and data.displayName
  if type(name) ~= 'string' then
    name = ''
  end
  return '{"name":' .. cjson.encode(name) .. ',"pubkey":"' .. rec.key .. '"}'
end

-- Appends peer_left if others know the peer. Returns its SEQ as text, or '0'.
local function announce_left(k, who, rec)
  if not has(rec.flags, 'a') or has(rec.flags, 't') then
    return '0'
  end
  local seq = journal_append(k.journal, k.head, who.channel, who.epoch,
    peer_event(who, rec, 'peer_left', event_id(who, rec.gen, 'peer_left', ''), has(rec.flags, 'e'), left_body(rec)))
  return text(tonumber(seq))
end

-- Ends the attachment that rec describes: tells others, saves, notes the
-- clean-up, and only then removes, so that a failure on the way leaves
-- something to settle. Returns the answer that Go reads with parseLeft.
local function depart(k, who, rec)
  local now = now_ms()
  local late = math.max(0, now - tonumber(redis.call('ZSCORE', k.due, who.due) or now))
  local seq = announce_left(k, who, rec)
  save(k, rec, now)
  redis.call('ZADD', k.cleanup, text(now + who.repeat_after),
    table.concat({ who.mesh, who.peer, rec.gen, rec.member, rec.key }, ':'))
  redis.call('HDEL', k.roster, who.peer)
  redis.call('HDEL', k.cursors, who.peer)
  redis.call('SREM', k.transients, who.peer)
  redis.call('DEL', k.lease)
  redis.call('ZREM', k.due, who.due)
  return { 'left', format_record(rec), seq, text(late), seq == '0' and 'quiet' or 'announced' }
end
