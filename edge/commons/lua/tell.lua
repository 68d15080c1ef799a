#!lua flags=allow-oom
-- Ring at the edge that holds a peer.
--
-- KEYS[1]  lease of the peer
-- ARGV[1]  mesh bell   ARGV[2]  PEER   ARGV[3]  reference   ARGV[4]  frame
--
-- Returns 1, 0 when the peer is not here, or 2 when its edge does not listen.

local edge = string.match(redis.call('GET', KEYS[1]) or '', '^[^/]+/([^/]+)/')
if not edge then
  return 0
end
local heard = bell(ARGV[1] .. ':' .. edge, table.concat({ 'frame', ARGV[2], ARGV[3], ARGV[4] }, '\31'))
return heard > 0 and 1 or 2
