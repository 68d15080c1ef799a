package presence

import (
	"cmp"
	"strings"
	"testing"
	"time"
)

// revert is a guard that is taken away to see what it is there for.
type revert struct {
	name     string
	file     string // of lua/, empty when the guard is not in a script
	old, new string
	in       string // the scope that needs it
	breaks   string // the promise that then does not hold

	hold  time.Duration // another one, with no file
	renew time.Duration // likewise: by how much leases outlast the grace
}

// reverts lists the guards of the lease protocol. A text that is not found any
// more fails the test: the guard has moved, or is gone.
var reverts = []revert{
	{
		name: "renew compares the holder", file: "renew", in: "sockets", breaks: "L3",
		old: "redis.call('GET', lease) == mine and", new: "",
	},
	{
		name: "restore compares generations", file: "restore", in: "sockets", breaks: "L3",
		old: "newest > tonumber(gen)", new: "false",
	},
	{
		name: "restore compares by order", file: "restore", in: "fail-over", breaks: "L3",
		old: "newest > tonumber(gen)", new: "newest ~= 0 and newest ~= tonumber(gen)",
	},
	{
		name: "restore tells a detached lease from its own", file: "restore", in: "sockets", breaks: "L3",
		old: "(same and value ~= mine)", new: "false",
	},
	{
		name: "restore says gone to who was announced", file: "restore", in: "stall", breaks: "L3",
		old: "return 'gone'\nend\nif not rec or", new: "end\nif not rec or",
	},
	{
		name: "restore tells lost data from a goodbye", file: "restore", in: "flush", breaks: "L1",
		old: " and not went_back(k, cursor)", new: "",
	},
	{
		name: "restore compares the entry at the cursor", file: "record", in: "fail-over of 2", breaks: "L1",
		old: "return found[2][i + 1] ~= id", new: "return false",
	},
	{
		name: "restore checks bans", file: "restore", in: "ban", breaks: "S2",
		old: "redis.call('HEXISTS', k.bans, rec.member) == 1", new: "false",
	},
	{
		name: "restore writes the index", file: "restore", in: "flush", breaks: "L2",
		old: "redis.call('ZADD', k.due, ends, who.due)", new: "",
	},
	{
		name: "restore writes the record", file: "restore", in: "flush", breaks: "L2",
		old: "redis.call('HSET', k.roster, who.peer, format_record(rec))", new: "",
	},

	{
		name: "detach compares generations", file: "detach", in: "sockets", breaks: "L3",
		old: "newest > tonumber(gen)", new: "false",
	},
	{
		name: "detach compares by order", file: "detach", in: "fail-over", breaks: "L2",
		old: "newest > tonumber(gen)", new: "newest ~= tonumber(gen)",
	},
	{
		name: "detach does not lengthen the grace", file: "detach", in: "sockets", breaks: "L3",
		old: "if value == detached_value(gen, edge) then", new: "if false then",
	},
	{
		name: "detach writes the index", file: "detach", in: "sockets", breaks: "L2",
		old: "redis.call('ZADD', k.due, ends, who.due)", new: "",
	},
	{
		name: "detach leaves who has left alone", file: "detach", in: "sockets", breaks: "",
		old: "if not rec or newest", new: "if newest",
	},
	{
		name: "detach keeps the whole grace", file: "detach", in: "sockets", breaks: "L",
		old: "text(now_ms() + ttl)", new: "text(now_ms() + ttl - 30000)",
	},
	{
		name: "a detached lease names no connection", file: "record", in: "sockets", breaks: "L3",
		old: "return gen .. '/' .. edge .. '/-'", new: "return gen .. '/' .. edge .. '/c' .. string.sub(gen, -1)",
	},

	{
		name: "settle looks at the lease", file: "settle", in: "sockets", breaks: "L1",
		old: "redis.call('EXISTS', k.lease) == 1", new: "false",
	},
	{
		name: "leave compares generations", file: "leave", in: "sockets", breaks: "L3",
		old: "newest > tonumber(gen)", new: "false",
	},
	{
		name: "update compares the holder", file: "update", in: "sockets", breaks: "L3",
		old: "value ~= mine or not rec or rec.gen ~= gen", new: "not rec",
	},
	{
		name: "status compares the holder", file: "status", in: "sockets", breaks: "L3",
		old: "if mine ~= '' and value ~= mine then", new: "if false then",
	},

	{
		name: "attach resumes", file: "attach", in: "sockets", breaks: "L1",
		old: "local resumes = rec and rec.member == member", new: "local resumes = false and rec",
	},
	{
		name: "attach announces", file: "attach", in: "sockets", breaks: "L2",
		old: "if event ~= '' and has(flags, 'a') and not forgotten then", new: "if false then",
	},
	{
		name: "attach indexes", file: "attach", in: "sockets", breaks: "L2",
		old: "redis.call('ZADD', k.due, ends, who.due)", new: "",
	},
	{
		name: "attach checks bans", file: "attach", in: "ban", breaks: "S2",
		old: "redis.call('HEXISTS', k.bans, member) == 1", new: "false",
	},
	{
		name: "generations only grow", file: "attach", in: "clock", breaks: "L3",
		old: "math.max(newest + 1, us)", new: "us",
	},

	{
		name: "depart removes the record", file: "depart", in: "sockets", breaks: "L2",
		old: "redis.call('HDEL', k.roster, who.peer)", new: "",
	},
	{
		name: "depart removes the lease", file: "depart", in: "sockets", breaks: "L2",
		old: "redis.call('DEL', k.lease)", new: "",
	},
	{
		name: "depart removes the cursor", file: "depart", in: "sockets", breaks: "L2",
		old: "redis.call('HDEL', k.cursors, who.peer)", new: "",
	},
	{
		name: "depart notes the clean-up", file: "depart", in: "sockets", breaks: "L2",
		old: "redis.call('ZADD', k.cleanup,", new: "redis.call('EXISTS', k.cleanup,",
	},
	{
		name: "ids derive from the attachment", file: "depart", in: "sockets", breaks: "L2",
		old: "event_id(who, rec.gen, 'peer_left', '')", new: "event_id(who, rec.gen, 'peer_left', text(now_us()))",
	},

	{name: "leases outlast the grace by a renewal", in: "sockets", breaks: "L1", renew: -time.Millisecond},
	{name: "watchers hold after an outage", in: "outage", breaks: "L1", hold: time.Millisecond},
	{name: "watchers hold for as long as a lease", in: "outage", breaks: "L1", hold: DefaultTTL - DefaultRenewEvery},
}

// TestWithoutAGuardThereIsACounterexample takes away one guard at a time. The
// explorer has to find what goes wrong then.
func TestWithoutAGuardThereIsACounterexample(t *testing.T) {
	t.Parallel()
	for _, r := range reverts {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			o := newOracle(t, Options{RenewEvery: r.renew}, r.source(t))
			x := newExplorer(scopes[r.in], o, cmp.Or(r.hold, hold))
			f := x.run(x.nearby)
			if f.broken == "" || !strings.HasPrefix(f.broken, r.breaks) {
				t.Errorf("want %s broken; %v\n%v", r.breaks, x, f)
			}
			t.Logf("%v\n%v", x, f)
		})
	}
}

// source is the scripts without the guard.
func (r revert) source(t *testing.T) func(name string) string {
	if r.file == "" {
		return luaSource
	}
	if strings.Count(luaSource(r.file), r.old) != 1 {
		t.Fatalf("lua/%s.lua does not hold %q once", r.file, r.old)
	}
	return func(name string) string {
		text := luaSource(name)
		if name == r.file {
			text = strings.Replace(text, r.old, r.new, 1)
		}
		return text
	}
}
