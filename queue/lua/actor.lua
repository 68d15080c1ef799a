-- Fragment: who may act.
--
-- actor_refused(lease, holder, members, bans, member) → nil, or the refusal that
-- the script returns. A holder of '' acts for a member that is not present.

local function actor_refused(lease, holder, members, bans, member)
  if holder ~= '' then
    return redis.call('GET', lease) ~= holder and {'lost'} or nil
  end
  if redis.call('HEXISTS', members, member) == 0 or redis.call('HEXISTS', bans, member) == 1 then
    return {'not_member'}
  end
  return nil
end
