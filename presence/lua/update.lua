#!lua flags=allow-oom
-- Replace the JSON of a record, and tell others if they shall know.
--
-- KEYS       as named in record.lua
-- ARGV[1-5]  as named in record.lua
-- ARGV[6]    lease value of the holder
-- ARGV[7]    its generation
-- ARGV[8]    JSON, or '' to leave it
-- ARGV[9]    event to append, or ''
-- ARGV[10]   its data, a JSON object
-- ARGV[11]   'yes' or 'no': whether others know of the peer from now on; or 'keep'
--
-- Returns the SEQ of the event, '0' without one, or 'lost'.

local k, who = names(KEYS), whom(ARGV)
local mine, gen, json, event, data, announce = ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11]

local value, rec = stand(k, who.peer)
if value ~= mine or not rec or rec.gen ~= gen then
  return 'lost'
end

local seq = '0'
local transient = has(rec.flags, 't')
if event ~= '' and not transient then
  -- The time makes the ids of one attachment's several changes differ.
  local id = event_id(who, gen, event, text(now_us()))
  seq = text(tonumber((journal_append(k.journal, k.head, who.channel, who.epoch,
    peer_event(who, rec, event, id, true, data)))))
end

if json ~= '' then
  rec.json = json
end
if announce ~= 'keep' and not transient then
  rec.flags = string.gsub(rec.flags, '[a-]', '')
  if announce == 'yes' then
    rec.flags = 'a' .. rec.flags
  elseif rec.flags == '' then
    rec.flags = '-'
  end
end
redis.call('HSET', k.roster, who.peer, format_record(rec))
return seq
