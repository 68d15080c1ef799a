-- Fragment: what a member allows whom.
--
-- grants_allow(json, member, key, needed) → whether the recipient whose grants
-- are json lets the sender do what is needed. The entry under the sender's
-- member key decides, else the one under its key, else the default. Grants that
-- cannot be read grant what no grants do.

local GRANTS_DEFAULT = {'read', 'dm', 'broadcast', 'state-read'}

local function grants_list_has(list, needed)
  for _, capability in ipairs(list) do
    if capability == needed then
      return true
    end
  end
  return false
end

local function grants_allow(json, member, key, needed)
  if not json then
    return grants_list_has(GRANTS_DEFAULT, needed)
  end
  local ok, grants = pcall(cjson.decode, json)
  if not ok or type(grants) ~= 'table' then
    grants = {}
  end
  local list = grants[member]
  if type(list) ~= 'table' then
    list = grants[key]
  end
  if type(list) ~= 'table' then
    list = GRANTS_DEFAULT
  end
  return grants_list_has(list, needed)
end
