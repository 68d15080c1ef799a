#!lua flags=allow-oom
-- Make a peer whose lease has run out leave. Anyone may call this, any number
-- of times.
--
-- KEYS       as named in record.lua
-- ARGV[1-5]  as named in record.lua
-- ARGV[6]    run id of the Redis process that the caller trusts, '' for any
-- ARGV[7]    ms after which this must not run any more, '0' for never
--
-- Returns what depart() returns, or {} when there is nothing to settle, or when
-- the caller's trust does not cover this: what it believed of one Redis it must
-- not do to another that took over, nor later than it meant to.

local k, who = names(KEYS), whom(ARGV)
local run_id, latest = ARGV[6], tonumber(ARGV[7])

if latest > 0 and now_ms() > latest then
  return {}
end
if run_id ~= '' and string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') ~= run_id then
  return {}
end
if redis.call('EXISTS', k.lease) == 1 then
  return {} -- the index holds a time at which the sweeper looks again
end
local rec = parse_record(redis.call('HGET', k.roster, who.peer))
if not rec then
  redis.call('ZREM', k.due, who.due)
  redis.call('HDEL', k.cursors, who.peer)
  return {}
end
return depart(k, who, rec)
