-- A fragment: the rule by which a status is written.

local rank = { hook = 3, manual = 2, jsonl = 1 }
local FRESH_MS = 30000

-- A changed value always wins. An unchanged one keeps the name of the stronger
-- source as long as that source spoke recently; only the time moves.
-- Returns the source to record.
local function status_source(old, old_source, old_at, new, new_source, now)
  if old == new and (rank[new_source] or 0) < (rank[old_source] or 0) and now - old_at <= FRESH_MS then
    return old_source
  end
  return new_source
end
