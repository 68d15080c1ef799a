package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

func events(tb testing.TB, s *Store, mesh string) []string {
	tb.Helper()
	entries, total, err := s.Audit(tb.Context(), mesh, "", 100)
	if err != nil || total != len(entries) {
		tb.Fatalf("%d of %d entries, %v", len(entries), total, err)
	}
	out := make([]string, len(entries))
	for i, e := range entries {
		out[len(out)-1-i] = strings.TrimSpace(e.Event + " " + e.Actor)
		if !wire.IsTokenHash(e.Hash) || !json.Valid(e.Payload) || time.Since(e.At) > time.Minute {
			tb.Errorf("entry %+v", e)
		}
	}
	return out
}

func TestWhatIsDoneIsToldInTheAuditLogByWhomItWasDone(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	mesh, ctx := newMesh(t, s), WithActor(t.Context(), ActorOwner)
	i := addInvite(t, s, mesh.ID, 1, 9, time.Hour)
	m, err := enrol(t, s, mesh.ID, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := enrol(t, s, mesh.ID, 1, 1); err != nil { // a repeat does nothing
		t.Fatal(err)
	}
	name := "new <name>"
	for _, err := range []error{
		s.SetMesh(ctx, mesh.ID, MeshChange{Name: &name, SelfEditable: &wire.SelfEditable{}}),
		s.Kick(ctx, mesh.ID, key(1)), s.Disconnect(ctx, mesh.ID, "*"),
		s.Revoke(ctx, mesh.ID, key(1)), s.Ban(ctx, mesh.ID, key(1)), s.Unban(ctx, mesh.ID, key(1)),
		s.RevokeInvite(ctx, mesh.ID, i.ID), s.RevokeInvite(ctx, mesh.ID, i.ID),
		s.NoteRequeued(ctx, mesh.ID, "d1"), s.NoteDropped(ctx, mesh.ID, "d2"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.SetMember(WithActor(ctx, "M"), mesh.ID, key(1), MemberChange{Name: &name}); err != nil {
		t.Fatal(err)
	}
	if err := s.Archive(ctx, mesh.ID); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"mesh_created", "invite_created", "member_joined " + m.MemberID, "mesh_settings owner", "member_kicked owner",
		"member_disconnected owner", "member_revoked owner", "member_banned owner", "member_unbanned owner",
		"invite_revoked owner", "dead_letter_requeued owner", "dead_letter_dropped owner", "member_updated M", "mesh_archived owner",
	}
	if got := events(t, s, mesh.ID); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if n, broken, err := s.VerifyAudit(t.Context(), mesh.ID); n != len(want) || broken != "" || err != nil {
		t.Errorf("verified %d, broken at %q, %v", n, broken, err)
	}
}

func TestAttackRewrittenAuditLog(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	for name, tamper := range map[string]func(mesh string, ids []string) error{
		"an entry taken out": func(mesh string, ids []string) error {
			return s.c.Raw().XDel(t.Context(), s.keys.audit(mesh), ids[2]).Err()
		},
		"the end cut off": func(mesh string, ids []string) error {
			return s.c.Raw().XDel(t.Context(), s.keys.audit(mesh), ids[len(ids)-1]).Err()
		},
		"the beginning cut off": func(mesh string, ids []string) error {
			return s.c.Raw().XDel(t.Context(), s.keys.audit(mesh), ids[0]).Err()
		},
		"another hash": func(mesh string, ids []string) error {
			return s.c.Raw().HSet(t.Context(), s.keys.auditSeals(mesh), ids[1], strings.Repeat("0", 64)).Err()
		},
		"a hash taken out": func(mesh string, ids []string) error {
			return s.c.Raw().HDel(t.Context(), s.keys.auditSeals(mesh), ids[1]).Err()
		},
	} {
		mesh := newMesh(t, s)
		for n := range 4 {
			addInvite(t, s, mesh.ID, n, 1, time.Hour)
		}
		entries, _, err := s.Audit(t.Context(), mesh.ID, "", 10)
		if err != nil || len(entries) != 5 {
			t.Fatal(entries, err)
		}
		var ids []string
		for i := range entries {
			ids = append(ids, entries[len(entries)-1-i].ID)
		}
		if err := tamper(mesh.ID, ids); err != nil {
			t.Fatal(err)
		}
		if _, broken, err := s.VerifyAudit(t.Context(), mesh.ID); broken == "" || err != nil {
			t.Errorf("%s: not noticed, %v", name, err)
		}
	}
}

func TestTheAuditLogForgetsItsOldestAndStillVerifies(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{AuditPerMesh: 5})
	mesh := newMesh(t, s)
	for n := range 20 {
		addInvite(t, s, mesh.ID, n, 1, time.Hour)
		if n%3 == 0 {
			events(t, s, mesh.ID)
		}
	}
	if n, broken, err := s.VerifyAudit(t.Context(), mesh.ID); n != 5 || broken != "" || err != nil {
		t.Errorf("verified %d, broken at %q, %v", n, broken, err)
	}
}

// TestAttackFillingTheAuditLog changes what a member may change, on and on, and
// nobody ever reads the log.
func TestAttackFillingTheAuditLog(t *testing.T) {
	t.Parallel()
	const kept = 5
	s := newStore(t, Options{AuditPerMesh: kept})
	mesh := newMesh(t, s)
	for n := range 3 * auditSlack {
		if _, err := s.SetGrants(t.Context(), mesh.ID, key(creatorKey), wire.Grants{key(n % 2): {}}); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.c.Raw().XLen(t.Context(), s.keys.audit(mesh.ID)).Val(); n > kept+auditSlack {
		t.Errorf("%d entries are kept", n)
	}
	if n := s.c.Raw().HLen(t.Context(), s.keys.auditSeals(mesh.ID)).Val(); n > kept+auditSlack {
		t.Errorf("%d hashes are kept", n)
	}
	if n, broken, err := s.VerifyAudit(t.Context(), mesh.ID); n < kept || broken != "" || err != nil {
		t.Errorf("verified %d, broken at %q, %v", n, broken, err)
	}
}

func TestManyMayReadAndWriteTheAuditLogAtOnce(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	mesh := newMesh(t, s)
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for i := range 5 {
				addInvite(t, s, mesh.ID, 10*n+i, 1, time.Hour)
				if _, broken, err := s.VerifyAudit(t.Context(), mesh.ID); broken != "" || err != nil {
					t.Errorf("broken at %q, %v", broken, err)
				}
			}
		})
	}
	wg.Wait()
	if got := events(t, s, mesh.ID); len(got) != 41 {
		t.Errorf("%d entries", len(got))
	}
}

func TestARevokedMemberComesBackByALaterInviteOnly(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	mesh := newMesh(t, s)
	addInvite(t, s, mesh.ID, 1, 9, time.Hour)
	before, err := enrol(t, s, mesh.ID, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	heard := hear(t, s, s.c.MeshBell(mesh.ID))
	if err := s.Revoke(t.Context(), mesh.ID, key(1)); err != nil {
		t.Fatal(err)
	}
	if got := heard(); got != "banned "+key(1) {
		t.Errorf("rang %q", got)
	}
	if _, m, err := s.Admission(t.Context(), mesh.ID, key(1)); !errors.Is(err, ErrRevoked) || m.Banned {
		t.Errorf("admitted %+v, %v", m, err)
	}
	if _, err := enrol(t, s, mesh.ID, 1, 1); !errors.Is(err, ErrRevoked) {
		t.Errorf("by the old invite: %v", err)
	}
	for revoked := time.Now().UnixMilli(); time.Now().UnixMilli() <= revoked; { // a later invite is one of a later millisecond
		runtime.Gosched()
	}
	addInvite(t, s, mesh.ID, 2, 1, time.Hour)
	after, err := enrol(t, s, mesh.ID, 2, 1)
	if err != nil || after.Already || after.MemberID == before.MemberID {
		t.Errorf("by a new invite: %+v, %v", after, err)
	}
	if _, m, err := s.Admission(t.Context(), mesh.ID, key(1)); err != nil || m.ID != after.MemberID {
		t.Errorf("admitted %+v, %v", m, err)
	}
	if err := s.Revoke(t.Context(), mesh.ID, key(1)); err != nil {
		t.Fatal(err)
	}
	if err := s.Ban(t.Context(), mesh.ID, key(1)); err != nil {
		t.Fatal(err)
	}
	addInvite(t, s, mesh.ID, 3, 1, time.Hour)
	if _, err := enrol(t, s, mesh.ID, 3, 1); !errors.Is(err, ErrRevoked) {
		t.Errorf("banned after a revocation: %v", err)
	}
}

func TestAKeyIsToldItsMeshes(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{MeshesPerKey: 3})
	first, second, archived := newMesh(t, s), newMesh(t, s), newMesh(t, s)
	addInvite(t, s, second.ID, 1, 1, time.Hour)
	if _, err := enrol(t, s, second.ID, 1, 1); err != nil {
		t.Fatal(err)
	}
	if err := s.Archive(t.Context(), archived.ID); err != nil {
		t.Fatal(err)
	}
	list := func(k int) string {
		got, err := s.MeshesOf(t.Context(), strings.ToUpper(key(k)))
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, m := range got {
			ids = append(ids, m.Mesh.ID)
		}
		return strings.Join(ids, " ")
	}
	if got := list(ownerKey); !strings.Contains(got, first.ID) || !strings.Contains(got, second.ID) || strings.Contains(got, archived.ID) {
		t.Errorf("the owner: %s", got)
	}
	if got := list(1); got != second.ID {
		t.Errorf("a member: %s", got)
	}
	if err := s.Ban(t.Context(), second.ID, key(1)); err != nil {
		t.Fatal(err)
	}
	if got := list(1); got != "" {
		t.Errorf("a banned member: %s", got)
	}
}
