#!lua flags=allow-oom
-- Begin a new epoch of a journal that went back in time, so that places in what
-- was lost cannot be taken for places in what comes instead. Whoever finds out
-- calls this; the first one turns the epoch, the others learn of it.
--
-- KEYS[1]   head
-- ARGV[1]   the new epoch
-- ARGV[2…]  epochs known to lie in what was lost
--
-- Returns {'ok', epoch, SEQ, id} as the head is now.

local head, fresh = KEYS[1], ARGV[1]

local now = redis.call('HMGET', head, 'epoch', 'jseq', 'jid')
local epoch = now[1]
local lost = not epoch
for i = 2, #ARGV do
  lost = lost or ARGV[i] == epoch
end
if lost then
  redis.call('HSET', head, 'epoch', fresh)
  epoch = fresh
end
return { 'ok', epoch, now[2] or '0', now[3] or '' }
