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

// A Script is one Lua verb, ready to be run by its SHA-1.
type Script struct {
	modern variant // with the shebang line, for Redis and Valkey
	plain  variant // without it, for servers that do not know script flags
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
	plain := prelude + "\n" + strings.Join(append(fragments, body), "\n")
	return &Script{modern: newVariant(shebang + plain), plain: newVariant(plain)}
}

func newVariant(source string) variant {
	sum := sha1.Sum([]byte(source))
	return variant{source: source, sha: hex.EncodeToString(sum[:])}
}

// A Call is one run of a script, for [Client.RunAll].
type Call struct {
	Script *Script
	Keys   []string
	Args   []any
}

// Run runs a script once. Concurrent calls share a pipeline.
func (c *Client) Run(ctx context.Context, s *Script, keys []string, args ...any) *goredis.Cmd {
	v := c.variant(s)
	cmd := c.pipe.Do(ctx, evalArgs("EVALSHA", v.sha, keys, args)...)
	if goredis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") {
		// NOSCRIPT means that nothing ran, so this repeat is not a replay.
		return c.rdb.Do(ctx, evalArgs("EVAL", v.source, keys, args)...)
	}
	return cmd
}

// RunAll runs many scripts in pipelines of at most [pipelineLength] commands
// and returns their results in the order of calls.
func (c *Client) RunAll(ctx context.Context, calls []Call) []*goredis.Cmd {
	out := make([]*goredis.Cmd, 0, len(calls))
	for len(calls) > 0 {
		n := min(len(calls), pipelineLength)
		out = append(out, c.runBatch(ctx, calls[:n])...)
		calls = calls[n:]
	}
	return out
}

// pipelineLength bounds one pipeline: beyond some hundred commands the saving
// per command is gone and the answers only wait for each other.
const pipelineLength = 200

func (c *Client) runBatch(ctx context.Context, calls []Call) []*goredis.Cmd {
	pipe := c.rdb.Pipeline()
	out := make([]*goredis.Cmd, len(calls))
	for i, call := range calls {
		out[i] = pipe.Do(ctx, evalArgs("EVALSHA", c.variant(call.Script).sha, call.Keys, call.Args)...)
	}
	_, _ = pipe.Exec(ctx) // each command carries its own error
	for i, call := range calls {
		if goredis.HasErrorPrefix(out[i].Err(), "NOSCRIPT") {
			out[i] = c.Run(ctx, call.Script, call.Keys, call.Args...)
		}
	}
	return out
}

func (c *Client) variant(s *Script) variant {
	if c.plainLua {
		return s.plain
	}
	return s.modern
}

func evalArgs(verb, script string, keys []string, args []any) []any {
	out := make([]any, 0, 3+len(keys)+len(args))
	out = append(out, verb, script, len(keys))
	for _, k := range keys {
		out = append(out, k)
	}
	return append(out, args...)
}
