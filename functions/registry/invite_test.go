package registry

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/claudemesh/claudemesh/edge/wire"
)

func TestAnInviteMakesTheMemberItDescribes(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	mesh := newMesh(t, s)
	preset := wire.Preset{
		DisplayName: "O'Brien \x01 «é»", RoleTag: "reviewer",
		Groups: []wire.Group{{Name: "back'end", Role: "lead"}}, MessageMode: wire.ModeInbox,
	}
	invite, err := s.AddInvite(t.Context(), mesh.ID, NewInvite{
		TokenHash: hash(1), Role: wire.RoleAdmin, MaxUses: 2, ExpiresAt: time.Unix(time.Now().Unix()+60, 0), Preset: preset,
	})
	if err != nil {
		t.Fatal(err)
	}
	enrolled, err := enrol(t, s, mesh.ID, 1, 7)
	if err != nil {
		t.Fatal(err)
	}
	_, got, err := s.Admission(t.Context(), mesh.ID, key(7))
	if err != nil {
		t.Fatal(err)
	}
	want := Member{
		ID: enrolled.MemberID, Key: key(7), Name: preset.DisplayName, Role: wire.RoleAdmin,
		RoleTag: preset.RoleTag, Groups: preset.Groups, MessageMode: preset.MessageMode, JoinedAt: got.JoinedAt,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("member (-want, +got):\n%s", diff)
	}
	invite.Uses = 1
	listed, err := s.Invites(t.Context(), mesh.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Invite{invite}, listed); diff != "" {
		t.Errorf("invites (-want, +got):\n%s", diff)
	}
}

func TestRefusalsOfEnrolmentComeInTheirOrder(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{MembersPerMesh: 3})
	mesh := newMesh(t, s)
	addInvite(t, s, mesh.ID, 1, 1, time.Hour) // exhausted below
	addInvite(t, s, mesh.ID, 2, 9, -2*time.Second)
	revoked := addInvite(t, s, mesh.ID, 3, 9, -2*time.Second)
	addInvite(t, s, mesh.ID, 4, 9, time.Hour)
	if err := s.RevokeInvite(t.Context(), mesh.ID, revoked.ID); err != nil {
		t.Fatal(err)
	}
	first, err := enrol(t, s, mesh.ID, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := enrol(t, s, mesh.ID, 4, 2); err != nil {
		t.Fatal(err)
	}
	if err := s.Ban(t.Context(), mesh.ID, key(2)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		e    Enrolment
		want error
	}{
		"an unknown mesh":             {Enrolment{Mesh: strings.Repeat("0", 32), Owner: key(9)}, ErrNoMesh},
		"another owner":               {Enrolment{Mesh: mesh.ID, Owner: key(9), TokenHash: hash(9)}, ErrOwnerMismatch},
		"no invite":                   {Enrolment{Mesh: mesh.ID, Owner: key(ownerKey), TokenHash: hash(9)}, ErrNoInvite},
		"an empty hash":               {Enrolment{Mesh: mesh.ID}, ErrNoInvite},
		"the name of a use counter":   {Enrolment{Mesh: mesh.ID, TokenHash: inviteUses + hash(1)}, ErrNoInvite},
		"the name of an id":           {Enrolment{Mesh: mesh.ID, TokenHash: inviteID + revoked.ID}, ErrNoInvite},
		"revoked and expired":         {Enrolment{Mesh: mesh.ID, TokenHash: hash(3)}, ErrInviteRevoked},
		"expired, for a banned key":   {Enrolment{Mesh: mesh.ID, TokenHash: hash(2), Key: key(2)}, ErrInviteExpired},
		"expired, for a member":       {Enrolment{Mesh: mesh.ID, TokenHash: hash(2), Key: key(1)}, ErrInviteExpired},
		"a banned key":                {Enrolment{Mesh: mesh.ID, TokenHash: hash(1), Key: key(2)}, ErrRevoked},
		"used up":                     {Enrolment{Mesh: mesh.ID, TokenHash: hash(1), Key: key(3)}, ErrInviteExhausted},
		"a full mesh":                 {Enrolment{Mesh: mesh.ID, TokenHash: hash(4), Key: key(3)}, ErrFull},
		"a member, by a used-up link": {Enrolment{Mesh: mesh.ID, TokenHash: hash(1), Key: key(1)}, nil},
	} {
		got, err := s.Enrol(t.Context(), c.e)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		if want := (Enrolled{first.MemberID, true}); c.want == nil && got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}

func TestAMeshWithoutAnOwnerKeyLetsNobodyBeInvited(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	mesh := newMesh(t, s)
	addInvite(t, s, mesh.ID, 1, 1, time.Hour)
	if err := s.c.Raw().HDel(t.Context(), s.keys.mesh(mesh.ID), "owner").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := enrol(t, s, mesh.ID, 1, 1); !errors.Is(err, ErrNoOwnerKey) {
		t.Fatalf("got %v, want ErrNoOwnerKey", err)
	}
}

// TestOneUseMakesOneMember lets many keys redeem the last use at the same
// moment. Exactly one wins.
func TestOneUseMakesOneMember(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	mesh := newMesh(t, s)
	addInvite(t, s, mesh.ID, 1, 1, time.Hour)
	const rivals = 40
	errs := make([]error, rivals)
	var wg sync.WaitGroup
	for i := range rivals {
		wg.Go(func() { _, errs[i] = enrol(t, s, mesh.ID, 1, i) })
	}
	wg.Wait()
	winners := 0
	for i, err := range errs {
		switch {
		case err == nil:
			winners++
		case !errors.Is(err, ErrInviteExhausted):
			t.Errorf("rival %d: %v", i, err)
		}
	}
	members, err := s.Members(t.Context(), mesh.ID)
	if err != nil || winners != 1 || len(members) != 2 {
		t.Fatalf("%d winners, %d members with the creator, %v", winners, len(members), err)
	}
}

// TestOneKeyIsOneMember lets one key enrol many times at the same moment: one
// member, one use.
func TestOneKeyIsOneMember(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	mesh := newMesh(t, s)
	addInvite(t, s, mesh.ID, 1, 50, time.Hour)
	var mu sync.Mutex
	ids, fresh := map[string]bool{}, 0
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			got, err := enrol(t, s, mesh.ID, 1, 1)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			ids[got.MemberID] = true
			if !got.Already {
				fresh++
			}
		})
	}
	wg.Wait()
	invites, err := s.Invites(t.Context(), mesh.ID)
	if err != nil || len(ids) != 1 || fresh != 1 || invites[0].Uses != 1 {
		t.Fatalf("%d members, %d fresh, invites %+v, %v", len(ids), fresh, invites, err)
	}
}

func TestAnUppercaseKeyIsTheSameMember(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	mesh := newMesh(t, s)
	addInvite(t, s, mesh.ID, 1, 9, time.Hour)
	upper := strings.ToUpper(key(1))
	first, err := s.Enrol(t.Context(), Enrolment{Mesh: mesh.ID, TokenHash: strings.ToUpper(hash(1)), Key: upper, Name: "x"})
	if err != nil {
		t.Fatal(err)
	}
	again, err := enrol(t, s, mesh.ID, 1, 1)
	if err != nil || !again.Already || again.MemberID != first.MemberID {
		t.Fatalf("got %+v, %v; want the member %s", again, err, first.MemberID)
	}
	if _, m, err := s.Admission(t.Context(), mesh.ID, upper); err != nil || m.Key != key(1) {
		t.Fatalf("got %+v, %v", m, err)
	}
}

func TestInvitesAreBoundedAndEndedOnesMakeRoom(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{InvitesPerMesh: 3})
	mesh := newMesh(t, s)
	for n := range 20 { // all over: none is live
		addInvite(t, s, mesh.ID, n, 1, -time.Minute)
	}
	if n := s.c.Raw().HLen(t.Context(), s.keys.invites(mesh.ID)).Val(); n > 2*15+2 {
		t.Errorf("%d fields are left of 20 ended invites", n)
	}
	var last Invite
	for n := range 3 {
		last = addInvite(t, s, mesh.ID, 100+n, 1, time.Hour)
	}
	more := NewInvite{TokenHash: hash(200), Role: wire.RoleMember, MaxUses: 1, ExpiresAt: time.Now().Add(time.Hour)}
	if _, err := s.AddInvite(t.Context(), mesh.ID, more); !errors.Is(err, ErrFull) {
		t.Fatalf("got %v, want ErrFull", err)
	}
	if err := s.RevokeInvite(t.Context(), mesh.ID, last.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddInvite(t.Context(), mesh.ID, more); err != nil {
		t.Fatalf("after a revocation: %v", err)
	}
}

func TestATokenIsOneInviteAndAnIDIsFoundOnce(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	mesh := newMesh(t, s)
	invite := addInvite(t, s, mesh.ID, 1, 1, time.Hour)
	if _, err := s.AddInvite(t.Context(), mesh.ID, invite.NewInvite); !errors.Is(err, ErrInviteExists) {
		t.Errorf("the same token again: got %v", err)
	}
	for _, id := range []string{"", hash(1), "x\x00'", invite.ID + "x"} {
		if err := s.RevokeInvite(t.Context(), mesh.ID, id); !errors.Is(err, ErrNoInvite) {
			t.Errorf("revoke %q: got %v, want ErrNoInvite", id, err)
		}
	}
	for range 2 { // a repeat changes nothing
		if err := s.RevokeInvite(t.Context(), mesh.ID, invite.ID); err != nil {
			t.Fatal(err)
		}
	}
}
