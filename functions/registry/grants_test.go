package registry

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/claudemesh/claudemesh/edge/wire"
)

func TestGrantsAreMergedPerSender(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{GrantsPerMember: 3})
	mesh := newMesh(t, s)
	set := func(change wire.Grants) (wire.Grants, error) {
		return s.SetGrants(t.Context(), mesh.ID, strings.ToUpper(key(creatorKey)), change)
	}
	if got, err := s.Grants(t.Context(), mesh.ID, key(creatorKey)); err != nil || got != nil {
		t.Fatalf("before anything was said: %v, %v", got, err)
	}
	next := hear(t, s, s.c.MeshBell(mesh.ID))
	if _, err := set(wire.Grants{strings.ToUpper(key(1)): {}, key(2): {wire.CapDM}, key(3): {wire.CapRead}}); err != nil {
		t.Fatal(err)
	}
	if got, want := next(), "grants "+key(creatorKey); got != want {
		t.Errorf("the bell said %q, want %q", got, want)
	}
	if _, err := set(wire.Grants{key(3): nil, key(2): {wire.CapBroadcast}}); err != nil {
		t.Fatal(err)
	}
	got, err := s.Grants(t.Context(), mesh.ID, key(creatorKey))
	if err != nil {
		t.Fatal(err)
	}
	want := wire.Grants{key(1): {}, key(2): {wire.CapBroadcast}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("grants (-want, +got):\n%s", diff)
	}
	if raw := s.c.Raw().HGet(t.Context(), s.GrantsKey(mesh.ID), key(creatorKey)).Val(); !strings.Contains(raw, `"`+key(1)+`":[]`) {
		t.Errorf("an empty list is stored as something else: %s", raw)
	}
	if _, err := set(wire.Grants{key(4): {}, key(5): {}}); !errors.Is(err, ErrFull) {
		t.Errorf("got %v, want ErrFull", err)
	}
	if _, err := s.SetGrants(t.Context(), mesh.ID, key(77), wire.Grants{key(1): {}}); !errors.Is(err, ErrNotMember) {
		t.Errorf("got %v, want ErrNotMember", err)
	}
}

func TestGrantsThatChangedMeanwhileAreReadAgain(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	mesh := newMesh(t, s)
	run := func(was, now string) string {
		word, err := s.c.Run(t.Context(), grantsScript, []string{s.keys.members(mesh.ID), s.keys.grants(mesh.ID), s.keys.audit(mesh.ID)},
			key(creatorKey), was, now, s.c.MeshBell(mesh.ID), "event", "", "{}").Text()
		if err != nil {
			t.Fatal(err)
		}
		return word
	}
	if got := run("", "{}"); got != "ok" {
		t.Errorf("first: %s", got)
	}
	if got := run("", `{"a":[]}`); got != "conflict" {
		t.Errorf("second, unaware of the first: %s", got)
	}
}
