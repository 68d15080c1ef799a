package queue

import "testing"

// ttl is how long a key still lives, in ms; -1 for ever, -2 if there is none.
func (b *bundle) ttl(key string) int64 {
	b.tb.Helper()
	ms, _ := b.do("PTTL", key).(int64)
	return ms
}

// TestWhatIsRememberedForADayExpiresWhoeverBegins sends in each order of those
// with and without a client id: a bucket that is made must expire, although
// sends do not look at one that is known to be there.
func TestWhatIsRememberedForADayExpiresWhoeverBegins(t *testing.T) {
	t.Parallel()
	for name, ids := range map[string][]string{
		"with an id":          {"a", "b", "", "c"},
		"without one":         {"", "", "a", "b"},
		"behind a post":       {"post", "a", "", "b"},
		"a post behind sends": {"a", "b", "post", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			alice, bob := b.member("a1"), b.member("b0b")
			for _, id := range ids {
				if id == "post" {
					if _, err := b.q.Post(t.Context(), Post{
						Mesh: b.mesh, Lease: alice.lease, Sender: alice.sender, Target: "*", ClientID: id, Body: []byte("{}"),
					}); err != nil {
						t.Fatal(err)
					}
					continue
				}
				alice.send(alice.direct(bob.sender.Member, id, "{}"))
			}
			for _, kind := range []string{"once", "track"} {
				keys, _ := b.do("KEYS", kind+":*").([]any)
				if len(keys) == 0 || len(keys) > 2 {
					t.Fatalf("%d buckets of %s", len(keys), kind)
				}
				for _, key := range keys {
					if ms := b.ttl(key.(string)); ms <= 0 || ms > (4*onceBucket).Milliseconds() {
						t.Errorf("%s lives for %d ms", key, ms)
					}
				}
			}
		})
	}
}
