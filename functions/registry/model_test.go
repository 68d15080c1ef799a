package registry

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is what a mesh should be, in the plainest form.
type model struct {
	invites map[int]*modelInvite
	members map[int]string // key → member id
	banned  map[int]bool
}

type modelInvite struct {
	id                string
	left              int
	expired, withdrew bool
}

// enrol says what the registry should answer.
func (m *model) enrol(invite, member int) (already bool, err error) {
	i := m.invites[invite]
	_, in := m.members[member]
	switch {
	case i == nil:
		return false, ErrNoInvite
	case i.withdrew:
		return false, ErrInviteRevoked
	case i.expired:
		return false, ErrInviteExpired
	case m.banned[member]:
		return false, ErrRevoked
	case in:
		return true, nil
	case i.left == 0:
		return false, ErrInviteExhausted
	}
	i.left--
	return false, nil
}

// TestInvitesUsesAndBansBehaveLikeMaps drives a registry and a few maps with
// the same random operations. They must never disagree.
func TestInvitesUsesAndBansBehaveLikeMaps(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	rapid.Check(t, func(rt *rapid.T) {
		mesh := newMeshNamed(rt, s)
		m := &model{invites: map[int]*modelInvite{}, members: map[int]string{}, banned: map[int]bool{}}
		pick := rapid.IntRange(0, 4)
		rt.Repeat(map[string]func(*rapid.T){
			"invite": func(t *rapid.T) { m.checkInvite(t, s, mesh, pick.Draw(t, "invite")) },
			"revoke": func(t *rapid.T) { m.checkRevoke(t, s, mesh, pick.Draw(t, "invite")) },
			"enrol":  func(t *rapid.T) { m.checkEnrol(t, s, mesh, pick.Draw(t, "invite"), pick.Draw(t, "member")) },
			"ban":    func(t *rapid.T) { m.checkBan(t, s, mesh, pick.Draw(t, "member")) },
			"unban":  func(t *rapid.T) { m.checkUnban(t, s, mesh, pick.Draw(t, "member")) },
			"":       func(t *rapid.T) { m.checkAdmission(t, s, mesh) },
		})
	})
}

// newMeshNamed gives each run a slug of its own, of which there are enough.
func newMeshNamed(t *rapid.T, s *Store) string {
	mesh, _, err := s.CreateMesh(t.Context(), NewMesh{Name: newID(), OwnerKey: key(ownerKey), MemberKey: key(creatorKey)})
	if err != nil {
		t.Fatal(err)
	}
	return mesh.ID
}

func want(t *rapid.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) || (want == nil && got != nil) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func (m *model) checkInvite(t *rapid.T, s *Store, mesh string, n int) {
	uses, expired := rapid.IntRange(1, 3).Draw(t, "uses"), rapid.Bool().Draw(t, "expired")
	lasts := time.Hour
	if expired {
		lasts = -time.Minute
	}
	invite, err := s.AddInvite(t.Context(), mesh, NewInvite{
		TokenHash: hash(n), Role: "member", MaxUses: uses, ExpiresAt: time.Now().Add(lasts),
	})
	if m.invites[n] != nil {
		want(t, err, ErrInviteExists)
		return
	}
	want(t, err, nil)
	m.invites[n] = &modelInvite{id: invite.ID, left: uses, expired: expired}
}

func (m *model) checkRevoke(t *rapid.T, s *Store, mesh string, n int) {
	if m.invites[n] == nil {
		want(t, s.RevokeInvite(t.Context(), mesh, "unknown"), ErrNoInvite)
		return
	}
	want(t, s.RevokeInvite(t.Context(), mesh, m.invites[n].id), nil)
	m.invites[n].withdrew = true
}

func (m *model) checkEnrol(t *rapid.T, s *Store, mesh string, invite, member int) {
	already, refused := m.enrol(invite, member)
	got, err := s.Enrol(t.Context(), Enrolment{Mesh: mesh, TokenHash: hash(invite), Key: key(member), Name: "x"})
	want(t, err, refused)
	if err != nil {
		return
	}
	if id, in := m.members[member]; got.Already != already || (in && got.MemberID != id) {
		t.Fatalf("got %+v; the model has id %q, already %v", got, id, already)
	}
	m.members[member] = got.MemberID
}

func (m *model) checkBan(t *rapid.T, s *Store, mesh string, member int) {
	err := s.Ban(t.Context(), mesh, key(member))
	if _, in := m.members[member]; !in {
		want(t, err, ErrNotMember)
		return
	}
	want(t, err, nil)
	m.banned[member] = true
}

func (m *model) checkUnban(t *rapid.T, s *Store, mesh string, member int) {
	err := s.Unban(t.Context(), mesh, key(member))
	if !m.banned[member] {
		want(t, err, ErrNotBanned)
		return
	}
	want(t, err, nil)
	delete(m.banned, member)
}

func (m *model) checkAdmission(t *rapid.T, s *Store, mesh string) {
	for member := range 5 {
		_, got, err := s.Admission(t.Context(), mesh, key(member))
		id, in := m.members[member]
		switch {
		case !in:
			want(t, err, ErrNotMember)
		case m.banned[member]:
			want(t, err, ErrRevoked)
		default:
			want(t, err, nil)
		}
		if got.ID != id {
			t.Fatalf("member %d has id %q, the model %q", member, got.ID, id)
		}
	}
	members, err := s.Members(t.Context(), mesh)
	if err != nil || len(members) != len(m.members)+1 {
		t.Fatalf("%d members, the model has %d and the creator; %v", len(members), len(m.members), err)
	}
}
