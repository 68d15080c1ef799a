package redis

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Conf is the text of redis.conf, to be passed to a server on standard input
// with the settings of the place (socket, directory) appended.
//
//go:embed redis.conf
var Conf string

// wanted lists the settings without which a promise is kept less well, with
// the reason an operator reads.
var wanted = []struct {
	name   string
	ok     func(value string) bool
	remedy string
}{
	{
		"notify-keyspace-events",
		func(v string) bool { return strings.Contains(v, "E") && strings.ContainsAny(v, "xA") },
		`set notify-keyspace-events to "Ex": without expiry events departures are announced by the sweeper alone, up to a second later`,
	},
	{
		"maxmemory-policy",
		func(v string) bool { return v == "noeviction" },
		"set maxmemory-policy to noeviction: any other policy may evict leases and waiting messages",
	},
	{
		"appendonly",
		func(v string) bool { return v == "yes" },
		"set appendonly to yes: without it a restart of Redis loses acknowledged messages",
	},
}

// Check compares the settings of every master with [Conf]. It returns one
// remedy for each that differs, in words for an operator, and an error only
// when a server could not be asked.
func (c *Client) Check(ctx context.Context) (remedies []string, err error) {
	masters, err := c.Masters(ctx)
	if err != nil {
		return nil, err
	}
	for _, n := range masters {
		some, err := n.check(ctx)
		for _, remedy := range some {
			if !slices.Contains(remedies, remedy) {
				remedies = append(remedies, remedy)
			}
		}
		if err != nil {
			return remedies, err
		}
	}
	return remedies, nil
}

func (n Node) check(ctx context.Context) (remedies []string, err error) {
	for _, w := range wanted {
		got, err := n.Raw.ConfigGet(ctx, w.name).Result()
		switch {
		case isServerError(err):
			remedies = append(remedies, fmt.Sprintf("the server does not tell %s (%v); make sure of it: %s", w.name, err, w.remedy))
		case err != nil:
			return remedies, fmt.Errorf("redis: read %s: %w", w.name, err)
		case !w.ok(got[w.name]):
			remedies = append(remedies, w.remedy)
		}
	}
	return remedies, nil
}

// isServerError reports whether err is an answer of the server rather than a
// failure to reach it. Managed services answer CONFIG with an error.
func isServerError(err error) bool {
	var reply interface{ RedisError() }
	return errors.As(err, &reply)
}
