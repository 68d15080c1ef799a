package redis

import (
	"context"
	"crypto/sha1"
	_ "embed"
	"encoding/hex"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

//go:embed lua/prelude.lua
var prelude string

// The two ways to ring. The embedded server knows no shards.
var (
	//go:embed lua/bell.lua
	bellLua string
	//go:embed lua/bell_sharded.lua
	shardedBellLua string
)

// A Script is one Lua verb, ready to be run by its SHA-1.
type Script struct {
	modern  variant // with the shebang line, for Redis and Valkey
	sharded variant // the same, for a cluster, where a bell rings in its slot only
	plain   variant // without shebang, for servers that do not know script flags
}

type variant struct{ source, sha string }

// NewScript builds a script from its source. The first line of the source may
// be a shebang with flags; prelude and fragments are placed right behind it.
func NewScript(source string, fragments ...string) *Script {
	shebang, body := "", source
	if strings.HasPrefix(source, "#!") {
		shebang, body, _ = strings.Cut(source, "\n")
		shebang += "\n"
	}
	rest := "\n" + strings.Join(append(fragments, body), "\n")
	plain, sharded := prelude+bellLua+rest, prelude+shardedBellLua+rest
	return &Script{modern: newVariant(shebang + plain), sharded: newVariant(shebang + sharded), plain: newVariant(plain)}
}

func newVariant(source string) variant {
	sum := sha1.Sum([]byte(source))
	return variant{source: source, sha: hex.EncodeToString(sum[:])}
}

// Run runs a script once. Concurrent calls share a pipeline. In a cluster its
// first key says where.
func (c *Client) Run(ctx context.Context, s *Script, keys []string, args ...any) *goredis.Cmd {
	v := c.variant(s)
	cmd := c.run(ctx, firstOf(keys), evalArgs("EVALSHA", v.sha, keys, args))
	if isNoScript(cmd.Err()) {
		// NOSCRIPT means that nothing ran, so this repeat is not a replay.
		return c.run(ctx, firstOf(keys), evalArgs("EVAL", v.source, keys, args))
	}
	return cmd
}

func firstOf(keys []string) string {
	if len(keys) == 0 {
		return ""
	}
	return keys[0]
}

func isNoScript(err error) bool { return goredis.HasErrorPrefix(err, "NOSCRIPT") }

func (c *Client) variant(s *Script) variant {
	switch {
	case c.cluster != nil:
		return s.sharded
	case c.plainLua:
		return s.plain
	default:
		return s.modern
	}
}

func evalArgs(verb, script string, keys []string, args []any) []any {
	out := make([]any, 0, 3+len(keys)+len(args))
	out = append(out, verb, script, len(keys))
	for _, k := range keys {
		out = append(out, k)
	}
	return append(out, args...)
}
