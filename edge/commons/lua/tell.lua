#!lua flags=allow-oom
-- Ring at the edge that holds a peer.
--
-- KEYS[1]  lease of the peer
-- ARGV[1]  mesh bell   ARGV[2]  PEER   ARGV[3]  reference   ARGV[4]  frame
--
-- Returns 1, 0 when the peer is not here, or 2 when it is in its grace or its
-- edge does not listen.

local lease = redis.call('GET', KEYS[1])
if not lease then
  return 0
end
-- In its grace, a peer has a lease without a connection.
local edge, conn = string.match(lease, '^[^/]+/([^/]+)/(.+)$')
if not edge or conn == '-' then
  return 2
end
return bell(ARGV[1] .. ':' .. edge, table.concat({ 'frame', ARGV[2], ARGV[3], ARGV[4] }, '\31')) > 0 and 1 or 2
