#!lua
-- Take a token out of a bucket that refills steadily.
--
-- KEYS[1]  bucket  bucket:{p}:NAME:WHO, "MILLITOKENS MS"
-- ARGV[1]  tokens of a full bucket
-- ARGV[2]  tokens a minute
--
-- Returns 0, or the milliseconds until there is a token. A refusal writes
-- nothing.

local bucket = KEYS[1]
local full, rate = tonumber(ARGV[1]) * 1000, tonumber(ARGV[2]) / 60 -- millitokens, millitokens a millisecond
local now = now_ms()

local tokens, at = string.match(redis.call('GET', bucket) or '', '^(%d+) (%d+)$')
local have = full
if tokens then
  have = math.min(full, tonumber(tokens) + math.max(0, now - tonumber(at)) * rate)
end
if have < 1000 then
  return math.ceil((1000 - have) / rate)
end
have = math.floor(have - 1000)
redis.call('SET', bucket, text(have) .. ' ' .. text(now), 'PX', text(math.ceil((full - have) / rate)))
return 0
