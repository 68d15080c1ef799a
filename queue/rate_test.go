package queue

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/claudemesh/claudemesh/infra/redis"
)

func TestTheRateBucketCountsAsTheVectorsSay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	charge := redis.NewScript("#!lua\nlocal a = {}\nfor i = 1, 4 do a[i] = tonumber(ARGV[i + 1]) end\n"+
		"return rate_charge(KEYS[1], ARGV[1], a[1], a[2], a[3]) and 1 or 0", rateLua)
	vectors(t, "token_bucket", func(name string, inputs, expected json.RawMessage) {
		var in struct {
			Capacity  int
			PerMinute int     `json:"per_minute"`
			At        []int64 `json:"at_ms"`
		}
		var want struct{ Allowed []bool }
		unmarshal(t, inputs, &in)
		unmarshal(t, expected, &want)
		for i, at := range in.At {
			got, err := b.c.Run(t.Context(), charge, []string{"rate"}, name, in.PerMinute, in.Capacity, at).Bool()
			if err != nil || got != want.Allowed[i] {
				t.Errorf("%s: charge %d: got %v, %v; want %v", name, i, got, err, want.Allowed[i])
			}
		}
	})
}

func TestTheRateIsTheMembersAndComesBeforeAllOtherChecks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.q.o.Rate, b.q.o.Burst = 1, 3
	alice, bob := b.member("a1"), b.member("b0b")
	session := alice.session("5e55")
	d := alice.direct(bob.sender.Member, "id-1", "{}")
	alice.send(d)
	alice.send(d) // a duplicate is charged
	if _, err := b.q.Send(t.Context(), session.direct("nobody", "", "{}")); !errors.Is(err, ErrNoRecipient) {
		t.Errorf("got %v, want ErrNoRecipient", err) // and so is a refusal
	}
	for _, p := range []*peer{alice, session} {
		if _, err := b.q.Send(t.Context(), p.direct(bob.sender.Member, "id-1", "{}")); !errors.Is(err, ErrRate) {
			t.Errorf("send: got %v, want ErrRate", err)
		}
		post := Post{Mesh: b.mesh, Lease: p.lease, Sender: p.sender, Target: "*", Body: []byte("{}")}
		if _, err := b.q.Post(t.Context(), post); !errors.Is(err, ErrRate) {
			t.Errorf("post: got %v, want ErrRate", err)
		}
	}
	bob.say(alice.sender.Member)
	if ttl := b.do("PTTL", b.q.at(b.mesh).rate()).(int64); ttl <= 0 {
		t.Errorf("the buckets never expire (%d)", ttl)
	}
}

func TestARateOfZeroIsNoLimit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob := b.member("a1"), b.member("b0b")
	for range 50 {
		alice.say(bob.sender.Member)
	}
}
