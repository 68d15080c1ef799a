-- A fragment that every verb about one peer starts with: the names of keys and
-- common arguments, and how lease values, roster records and cursors are read.
-- JSON is only ever read here, never decoded and encoded again.

-- The keys in the order of Store.allKeys.
local function names(keys)
  return {
    lease = keys[1], due = keys[2], roster = keys[3], cursors = keys[4], saved = keys[5], cleanup = keys[6],
    transients = keys[7], members = keys[8], bans = keys[9], journal = keys[10], head = keys[11],
  }
end

-- The first arguments of Store.subject; a verb's own start at ARGV[6].
local function whom(argv)
  return {
    mesh = argv[1], peer = argv[2], channel = argv[3], epoch = argv[4], repeat_after = tonumber(argv[5]),
    due = argv[1] .. ':' .. argv[2],
  }
end

local function has(flags, letter)
  return string.find(flags, letter, 1, true) ~= nil
end

-- A lease whose socket is lost names no connection, so that nothing that the
-- lost connection still had under way compares equal to it.
local function detached_value(gen, edge)
  return gen .. '/' .. edge .. '/-'
end

local function is_detached(value)
  return string.sub(value, -2) == '/-'
end

-- The generation in a lease value, as a number; 0 when there is no lease.
local function lease_generation(value)
  return tonumber(value and string.match(value, '^(%d+)/') or 0)
end

local function parse_record(record)
  if not record then
    return nil
  end
  local gen, member, key, kind, flags, connected, status, source, at, json = string.match(record,
    '^(%d+) (%S+) (%S+) (%S+) (%S+) (%d+) (%S+) (%S+) (%d+) (.*)$')
  if not gen then
    return nil
  end
  return {
    gen = gen, member = member, key = key, kind = kind, flags = flags, connected = connected,
    status = status, source = source, at = at, json = json,
  }
end

local function format_record(r)
  return table.concat({ r.gen, r.member, r.key, r.kind, r.flags, r.connected, r.status, r.source, r.at, r.json }, ' ')
end

-- What Redis knows of a peer: the lease value or false, the record or nil, and
-- the newest generation of both as a number. Without either it is 0.
local function stand(k, peer)
  local value = redis.call('GET', k.lease)
  local rec = parse_record(redis.call('HGET', k.roster, peer))
  return value, rec, math.max(lease_generation(value), rec and tonumber(rec.gen) or 0)
end

-- Whether Redis has lost data since a peer confirmed cursor: the journal is
-- another one, ends before it, or has another entry there since others were
-- quicker to append. An entry that was trimmed proves nothing.
local function went_back(k, cursor)
  local now = redis.call('HMGET', k.head, 'epoch', 'jseq')
  local epoch, digits, id = string.match(cursor, '^([^/]+)/(%d+)/(.*)$')
  if not epoch then
    return not now[1]
  end
  local seq = tonumber(digits)
  if epoch ~= now[1] or seq > tonumber(now[2] or 0) then
    return true
  end
  local found = seq > 0 and redis.call('XRANGE', k.journal, digits .. '-0', digits .. '-0')[1]
  if found then
    for i = 1, #found[2], 2 do
      if found[2][i] == 'id' then
        return found[2][i + 1] ~= id
      end
    end
  end
  return false
end

-- An id in the shape of a UUID that is the same whenever the same thing is
-- announced again, so that a repeat is recognised.
local function event_id(who, gen, event, nonce)
  local h = redis.sha1hex(table.concat({ who.mesh, who.peer, gen, event, nonce }, '|'))
  return table.concat({
    string.sub(h, 1, 8), string.sub(h, 9, 12), '5' .. string.sub(h, 14, 16), '8' .. string.sub(h, 18, 20),
    string.sub(h, 21, 32),
  }, '-')
end

-- A journal entry about a peer. to_all: connections of the same member hear it too.
local function peer_event(who, rec, event, id, to_all, body)
  return {
    id = id, tail = '', kind = 'event', event = event, member = rec.member, peer = who.peer,
    target = '*', flags = to_all and '-' or 's', body = body,
  }
end
