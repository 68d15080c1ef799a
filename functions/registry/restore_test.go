package registry

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// TestAttackComingInDuringARestore tries, after each record of a backup, what a
// banned member, the bearer of a withdrawn invite and a second bearer of a used
// one would try again and again.
func TestAttackComingInDuringARestore(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	mesh := newMesh(t, s)
	addInvite(t, s, mesh.ID, 1, 1, time.Hour)
	if _, err := enrol(t, s, mesh.ID, 1, 1); err != nil {
		t.Fatal(err)
	}
	withdrawn := addInvite(t, s, mesh.ID, 2, 9, time.Hour)
	if err := errors.Join(s.RevokeInvite(t.Context(), mesh.ID, withdrawn.ID), s.Ban(t.Context(), mesh.ID, key(1))); err != nil {
		t.Fatal(err)
	}
	records, _, err := s.Backup(t.Context(), mesh.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.c.Raw().FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	of := slices.IndexFunc(records, func(r wire.BackupRecord) bool { return r.Kind != backupMesh })
	if err := s.Restore(t.Context(), mesh.ID, key(ownerKey), records[:of]); err != nil {
		t.Fatal(err)
	}
	for _, r := range records[of:] {
		if err := s.Restore(t.Context(), mesh.ID, key(ownerKey), []wire.BackupRecord{r}); err != nil {
			t.Fatalf("%s %s: %v", r.Kind, r.Field, err)
		}
		if _, _, err := s.Admission(t.Context(), mesh.ID, key(1)); err == nil {
			t.Errorf("with %s %s the banned member is in", r.Kind, r.Field)
		}
		for n, invite := range map[int]string{1: "used", 2: "withdrawn"} {
			if _, err := enrol(t, s, mesh.ID, n, 10+n); err == nil {
				t.Errorf("with %s %s somebody came in by the %s invite", r.Kind, r.Field, invite)
			}
		}
	}
	if _, err := enrol(t, s, mesh.ID, 1, 3); !errors.Is(err, ErrInviteExhausted) {
		t.Errorf("when all is back, the used invite: %v", err)
	}
}

// TestARestoredBanClosesSockets is about a Redis that went back to before the
// ban: the member has come back meanwhile.
func TestARestoredBanClosesSockets(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	mesh := newMesh(t, s)
	addInvite(t, s, mesh.ID, 1, 1, time.Hour)
	if _, err := enrol(t, s, mesh.ID, 1, 1); err != nil {
		t.Fatal(err)
	}
	restore := func(r wire.BackupRecord) {
		t.Helper()
		if err := s.Restore(t.Context(), mesh.ID, key(ownerKey), []wire.BackupRecord{r}); err != nil {
			t.Fatal(err)
		}
	}
	heard := hear(t, s, s.c.MeshBell(mesh.ID))
	restore(wire.BackupRecord{Kind: backupBan, Field: key(1), Value: "1"})
	if got := heard(); got != "banned "+key(1) {
		t.Errorf("for a ban %q rang", got)
	}
	restore(wire.BackupRecord{Kind: backupBan, Field: key(1), Value: "1"}) // there already: rings nothing
	restore(wire.BackupRecord{Kind: backupMesh, Field: "archived", Value: "1"})
	if got := heard(); got != "archived" {
		t.Errorf("for the end of the mesh %q rang", got)
	}
}
