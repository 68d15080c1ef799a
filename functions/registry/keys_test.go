package registry

import (
	"strings"
	"testing"
)

func TestAllKeysOfAMeshLieInItsPartition(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	mesh := strings.Repeat("m", 32)
	seen := map[string]bool{}
	for _, k := range []string{
		s.keys.mesh(mesh), s.keys.members(mesh), s.keys.memberIDs(mesh), s.keys.bans(mesh), s.keys.sessions(mesh),
		s.keys.sessionsUsed(mesh), s.keys.grants(mesh), s.keys.invites(mesh), s.keys.invitesDue(mesh),
	} {
		kind, rest, _ := strings.Cut(k, ":")
		if rest != s.c.Tag(mesh)+":"+mesh || seen[kind] {
			t.Errorf("key %q is misplaced or not unique", k)
		}
		seen[kind] = true
	}
}
