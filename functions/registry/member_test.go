package registry

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestS2_ABannedMemberIsRefusedEverywhereAndCannotEnrolAgain(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	mesh := newMesh(t, s)
	addInvite(t, s, mesh.ID, 1, 9, time.Hour)
	before, err := enrol(t, s, mesh.ID, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	next := hear(t, s, s.c.MeshBell(mesh.ID))
	if err := s.Ban(t.Context(), mesh.ID, strings.ToUpper(key(1))); err != nil {
		t.Fatal(err)
	}
	if got, want := next(), "banned "+key(1); got != want {
		t.Errorf("the bell said %q, want %q", got, want)
	}

	m, member, err := s.Admission(t.Context(), mesh.ID, key(1))
	if !errors.Is(err, ErrRevoked) || m.Name != "Acme" || member.RevokedAt == nil {
		t.Errorf("admission: got %+v, %+v, %v", m, member, err)
	}
	for _, bearer := range []string{key(1), strings.ToUpper(key(1))} {
		if _, err := s.Enrol(t.Context(), Enrolment{Mesh: mesh.ID, TokenHash: hash(1), Key: bearer}); !errors.Is(err, ErrRevoked) {
			t.Errorf("enrol again: got %v", err)
		}
	}
	if err := s.BindSession(t.Context(), mesh.ID, key(50), key(1)); !errors.Is(err, ErrRevoked) {
		t.Errorf("bind: got %v", err)
	}

	if err := s.Unban(t.Context(), mesh.ID, key(1)); err != nil {
		t.Fatal(err)
	}
	if _, after, err := s.Admission(t.Context(), mesh.ID, key(1)); err != nil || after.ID != before.MemberID {
		t.Errorf("after the ban: got %+v, %v; want the member of before", after, err)
	}
}

func TestS2_ARepeatedBanRingsAgainAndKeepsItsTime(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	mesh := newMesh(t, s)
	next := hear(t, s, s.c.MeshBell(mesh.ID))
	var times []string
	for range 2 {
		if err := s.Ban(t.Context(), mesh.ID, key(creatorKey)); err != nil {
			t.Fatal(err)
		}
		next()
		times = append(times, s.c.Raw().HGet(t.Context(), s.BansKey(mesh.ID), key(creatorKey)).Val())
	}
	if times[0] != times[1] || times[0] == "" {
		t.Fatalf("banned at %q, then at %q", times[0], times[1])
	}
}

func TestOnlyMembersAreBannedAndOnlyBansAreLifted(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	mesh := newMesh(t, s)
	if err := s.Ban(t.Context(), mesh.ID, key(1)); !errors.Is(err, ErrNotMember) {
		t.Errorf("ban: got %v, want ErrNotMember", err)
	}
	if err := s.Unban(t.Context(), mesh.ID, key(creatorKey)); !errors.Is(err, ErrNotBanned) {
		t.Errorf("unban: got %v, want ErrNotBanned", err)
	}
}

func TestABanInOneMeshIsNoneInAnother(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	one, other := newMesh(t, s), newMesh(t, s)
	if err := s.Ban(t.Context(), one.ID, key(creatorKey)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Admission(t.Context(), other.ID, key(creatorKey)); err != nil {
		t.Fatal(err)
	}
}

func TestMembersAreListedInTheOrderTheyJoined(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	mesh := newMesh(t, s)
	addInvite(t, s, mesh.ID, 1, 9, time.Hour)
	for n := range 3 {
		if _, err := enrol(t, s, mesh.ID, 1, n); err != nil {
			t.Fatal(err)
		}
	}
	members, err := s.Members(t.Context(), mesh.ID)
	if err != nil || len(members) != 4 {
		t.Fatalf("got %d members, %v", len(members), err)
	}
	for i := 1; i < len(members); i++ {
		if members[i].JoinedAt.Before(members[i-1].JoinedAt) {
			t.Errorf("%s joined before %s", members[i].Name, members[i-1].Name)
		}
		if back := s.c.Raw().HGet(t.Context(), s.keys.memberIDs(mesh.ID), members[i].ID).Val(); back != members[i].Key {
			t.Errorf("the id of %s leads to %q", members[i].Name, back)
		}
	}
	if none, err := s.Members(t.Context(), strings.Repeat("0", 32)); err != nil || len(none) != 0 {
		t.Errorf("a mesh that does not exist has members %v, %v", none, err)
	}
}
