package registry

import (
	"errors"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/infra/redis"
)

// TestWhatALaterInviteLiftsIsDecidedByOneClock has a Redis whose clock is an
// hour off that of the functions, which make the invites.
func TestWhatALaterInviteLiftsIsDecidedByOneClock(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{-time.Hour, time.Hour} {
		server := miniredis.RunT(t)
		c, err := redis.Open(t.Context(), redis.Options{URL: "redis://" + server.Addr(), Partitions: 8})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		s, clock := New(c, Options{}), time.Now().Add(off)
		tick := func() { clock = clock.Add(time.Second); server.SetTime(clock) }
		mesh := newMesh(t, s)
		tick()
		addInvite(t, s, mesh.ID, 1, 9, 3*time.Hour)
		if _, err := enrol(t, s, mesh.ID, 1, 1); err != nil {
			t.Fatal(err)
		}
		tick()
		if err := s.Revoke(t.Context(), mesh.ID, key(1)); err != nil {
			t.Fatal(err)
		}
		tick()
		if _, err := enrol(t, s, mesh.ID, 1, 1); !errors.Is(err, ErrRevoked) {
			t.Errorf("off by %v: by the invite of before: %v", off, err)
		}
		addInvite(t, s, mesh.ID, 2, 9, 3*time.Hour)
		if _, err := enrol(t, s, mesh.ID, 2, 1); err != nil {
			t.Errorf("off by %v: by a later invite: %v", off, err)
		}
	}
}

// TestTheScriptsAlsoRunOnAnEmbeddedServer takes a mesh through its life on a
// server written in Go, whose Lua is another implementation.
func TestTheScriptsAlsoRunOnAnEmbeddedServer(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	c, err := redis.Open(t.Context(), redis.Options{URL: "redis://" + server.Addr(), Partitions: 8})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	s := New(c, Options{AuditPerMesh: 6})
	mesh := newMesh(t, s)
	code, name := wire.NewID(wire.CodeLength), "new"
	i, err := s.AddInvite(t.Context(), mesh.ID, NewInvite{
		TokenHash: hash(1), Role: wire.RoleMember, MaxUses: 2, ExpiresAt: time.Now().Add(time.Hour), CodeHash: wire.CodeHash(code), Sealed: "x",
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := enrol(t, s, mesh.ID, 1, 1); err != nil {
		t.Fatal(err)
	}
	if _, found, err := s.InviteByCode(t.Context(), code); err != nil || found.ID != i.ID || found.Uses != 1 {
		t.Errorf("by code: %+v, %v", found, err)
	}
	if _, err := s.SetGrants(t.Context(), mesh.ID, key(1), wire.Grants{key(2): {}}); err != nil {
		t.Error(err)
	}
	if _, err := s.SetMember(t.Context(), mesh.ID, key(1), MemberChange{Name: &name}); err != nil {
		t.Error(err)
	}
	for what, err := range map[string]error{
		"bind":     s.BindSession(t.Context(), mesh.ID, key(9), key(1)),
		"settings": s.SetMesh(t.Context(), mesh.ID, MeshChange{Name: &name}),
		"kick":     s.Kick(t.Context(), mesh.ID, key(1)),
		"revoke":   s.Revoke(t.Context(), mesh.ID, key(1)),
		"withdraw": s.RevokeInvite(t.Context(), mesh.ID, i.ID),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := s.Ban(t.Context(), mesh.ID, key(1)); err != nil {
		t.Error(err)
	}
	if _, err := enrol(t, s, mesh.ID, 1, 1); !errors.Is(err, ErrInviteRevoked) {
		t.Errorf("by a withdrawn invite: %v", err)
	}
	if err := s.Unban(t.Context(), mesh.ID, key(1)); err != nil {
		t.Error(err)
	}
	if n, broken, err := s.VerifyAudit(t.Context(), mesh.ID); n != 6 || broken != "" || err != nil {
		t.Errorf("audit: %d entries, broken at %q, %v", n, broken, err)
	}
	records, _, err := s.Backup(t.Context(), mesh.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	server.FlushAll()
	if err := s.Restore(t.Context(), mesh.ID, key(ownerKey), records); err != nil {
		t.Error(err)
	}
	if _, m, err := s.Admission(t.Context(), mesh.ID, key(1)); err != nil || m.Name != name {
		t.Errorf("restored: %+v, %v", m, err)
	}
	if err := s.Archive(t.Context(), mesh.ID); err != nil {
		t.Error(err)
	}
}
