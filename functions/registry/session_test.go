package registry

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// bound reads the member that a session key is bound to, "" if to none.
func bound(t *testing.T, s *Store, mesh string, session int) string {
	t.Helper()
	member, _, _ := strings.Cut(s.c.Raw().HGet(t.Context(), s.SessionsKey(mesh), key(session)).Val(), " ")
	return member
}

func bind(t *testing.T, s *Store, mesh string, session int) {
	t.Helper()
	if err := s.BindSession(t.Context(), mesh, key(session), key(creatorKey)); err != nil {
		t.Fatal(err)
	}
}

// age makes a session key's last use lie back.
func age(t *testing.T, s *Store, mesh string, session int, by time.Duration) {
	t.Helper()
	if err := s.c.Raw().ZIncrBy(t.Context(), s.keys.sessionsUsed(mesh), -float64(by.Milliseconds()), key(session)).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestASessionKeyIsBoundToAMemberOnly(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	mesh := newMesh(t, s)
	if err := s.BindSession(t.Context(), mesh.ID, key(1), key(2)); !errors.Is(err, ErrNotMember) {
		t.Errorf("got %v, want ErrNotMember", err)
	}
	bind(t, s, mesh.ID, 1)
	if got := bound(t, s, mesh.ID, 1); got != key(creatorKey) {
		t.Errorf("bound to %q", got)
	}
}

func TestTheNewestProofBindsASessionKey(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	mesh := newMesh(t, s)
	addInvite(t, s, mesh.ID, 1, 1, time.Hour)
	if _, err := enrol(t, s, mesh.ID, 1, 5); err != nil {
		t.Fatal(err)
	}
	bind(t, s, mesh.ID, 1)
	if err := s.BindSession(t.Context(), mesh.ID, key(1), key(5)); err != nil {
		t.Fatal(err)
	}
	if got := bound(t, s, mesh.ID, 1); got != key(5) {
		t.Errorf("bound to %q, want the member that proved it last", got)
	}
}

func TestSessionKeysAreBoundedAndTheLeastUsedGoes(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{SessionsPerMesh: 3})
	mesh := newMesh(t, s)
	for n := range 3 {
		bind(t, s, mesh.ID, n)
	}
	age(t, s, mesh.ID, 1, time.Hour)
	bind(t, s, mesh.ID, 9)
	for n, kept := range map[int]bool{0: true, 1: false, 2: true, 9: true} {
		if got := bound(t, s, mesh.ID, n) != ""; got != kept {
			t.Errorf("session %d: bound is %v, want %v", n, got, kept)
		}
	}
}

func TestUnusedSessionKeysAreForgotten(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{SessionUnused: 24 * time.Hour})
	mesh := newMesh(t, s)
	bind(t, s, mesh.ID, 1)
	bind(t, s, mesh.ID, 2)
	age(t, s, mesh.ID, 1, 25*time.Hour)
	age(t, s, mesh.ID, 2, 23*time.Hour)
	bind(t, s, mesh.ID, 3)
	if bound(t, s, mesh.ID, 1) != "" || bound(t, s, mesh.ID, 2) == "" {
		t.Error("the wrong session key was forgotten")
	}
	if n := s.c.Raw().ZCard(t.Context(), s.keys.sessionsUsed(mesh.ID)).Val(); n != 2 {
		t.Errorf("%d session keys are indexed, want 2", n)
	}
}
