package registry

import (
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

func TestAGroupPolicyIsTheOwnersAndOnlyEverNewer(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	owner, mesh := ownedMesh(t, s)
	next := hear(t, s, s.c.MeshBell(mesh))
	set := func(by ed25519.PrivateKey, counter int64, mode wire.GroupMode, of string) error {
		p := wire.GroupPolicy{Mode: mode, Counter: counter, SignedAt: wire.MillisAt(time.Now())}
		p.Sign(of, by)
		return s.SetGroupPolicy(t.Context(), mesh, p)
	}
	_, stranger, _ := ed25519.GenerateKey(nil)
	for name, c := range map[string]struct{ got, want error }{
		"a stranger's":      {set(stranger, 1, wire.GroupPlain, mesh), ErrBadPolicy},
		"of another mesh":   {set(owner, 1, wire.GroupPlain, strings.Repeat("0", 32)), ErrBadPolicy},
		"with another mode": {set(owner, 1, "open", mesh), ErrBadPolicy},
		"without a counter": {set(owner, 0, wire.GroupPlain, mesh), ErrBadPolicy},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: got %v, want %v", name, c.got, c.want)
		}
	}
	if err := set(owner, 5, wire.GroupPlain, mesh); err != nil {
		t.Fatal(err)
	}
	if got := next(); got != "policy" {
		t.Errorf("the bell said %q", got)
	}
	for _, counter := range []int64{1, 4, 5} {
		if err := set(owner, counter, wire.GroupSealed, mesh); !errors.Is(err, ErrStalePolicy) {
			t.Errorf("counter %d after 5: got %v, want ErrStalePolicy", counter, err)
		}
	}
	if err := set(owner, 1<<53-1, wire.GroupSealed, mesh); err != nil {
		t.Fatal(err)
	}
	m, err := s.Mesh(t.Context(), mesh)
	if err != nil || m.GroupPolicy == nil || !m.GroupPolicy.Verify(mesh, wire.PublicKey(owner)) ||
		m.GroupPolicy.Mode != wire.GroupSealed || m.GroupPolicy.OwnerPubkey != wire.PublicKey(owner) {
		t.Errorf("stored policy: %+v, %v", m.GroupPolicy, err)
	}
}

func ownedMesh(t *testing.T, s *Store) (ed25519.PrivateKey, string) {
	t.Helper()
	_, owner, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	mesh, _, err := s.CreateMesh(t.Context(), NewMesh{Name: "x", OwnerKey: wire.PublicKey(owner), MemberKey: key(1)})
	if err != nil {
		t.Fatal(err)
	}
	return owner, mesh.ID
}
