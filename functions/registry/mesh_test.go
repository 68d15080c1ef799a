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

func TestANewMeshHasItsCreatorAsAnAdmin(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	made := newMesh(t, s)
	mesh, member, err := s.Admission(t.Context(), made.ID, key(creatorKey))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(made, mesh); diff != "" {
		t.Errorf("mesh (-made, +read):\n%s", diff)
	}
	if member.Role != wire.RoleAdmin || member.Name != "ana" || member.MessageMode != wire.ModePush {
		t.Errorf("got %+v", member)
	}
	if !wire.IsMeshID(mesh.ID) || !wire.IsMeshID(member.ID) {
		t.Errorf("ids %q and %q are not 32 base62 characters", mesh.ID, member.ID)
	}
}

func TestSlugCollisionsGetANumber(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	for _, want := range []string{"acme", "acme-2", "acme-3"} {
		if got := newMesh(t, s).Slug; got != want {
			t.Fatalf("got slug %q, want %q", got, want)
		}
	}
}

func TestSlugCollisionsOfCreatorsAtTheSameMomentAreAllResolved(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	var mu sync.Mutex
	slugs := map[string]bool{}
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			mesh, _, err := s.CreateMesh(t.Context(), NewMesh{Name: "Same", OwnerKey: key(i), MemberKey: key(100 + i)})
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			slugs[mesh.Slug] = true
		})
	}
	wg.Wait()
	if len(slugs) != 10 {
		t.Fatalf("10 meshes share %d slugs", len(slugs))
	}
}

func TestSlugCollisionsWithoutEndAreRefused(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	for range slugTries {
		newMesh(t, s)
	}
	_, _, err := s.CreateMesh(t.Context(), NewMesh{Name: "acme", OwnerKey: key(1), MemberKey: key(2)})
	if !errors.Is(err, ErrSlugTaken) {
		t.Fatalf("got %v, want ErrSlugTaken", err)
	}
}

func TestASlugIsReservedForAMomentAndThenKeptForGood(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	slug, err := s.reserveSlug(t.Context(), "dead-creator", "nobody")
	if err != nil {
		t.Fatal(err)
	}
	ttl := s.c.Raw().PTTL(t.Context(), s.keys.slug(slug)).Val()
	if ttl <= 0 || ttl > slugHeld {
		t.Errorf("the reservation of a mesh that was never made lasts %v", ttl)
	}
	if ttl := s.c.Raw().PTTL(t.Context(), s.keys.slug(newMesh(t, s).Slug)).Val(); ttl >= 0 {
		t.Errorf("the slug of a mesh ends in %v", ttl)
	}
}

func TestSlugsAreMadeOfAnyName(t *testing.T) {
	t.Parallel()
	for wish, want := range map[string]string{
		"Ana's Shop": "ana-s-shop", "  --x--  ": "x", "": "mesh", "日本": "mesh", "a\x00b": "a-b",
		strings.Repeat("ab", 100): strings.Repeat("ab", 100)[:slugLength],
		strings.Repeat("ab ", 99): strings.TrimSuffix(strings.Repeat("ab-", 99)[:slugLength], "-"),
	} {
		if got := slugFor(wish); got != want {
			t.Errorf("%q: got %q, want %q", wish, got, want)
		}
	}
}

func TestAMeshIsCalledByTheBestNameItHas(t *testing.T) {
	t.Parallel()
	for want, mesh := range map[string]Mesh{
		"Acme": {ID: "i", Slug: "s", Name: "Acme"}, "s": {ID: "i", Slug: "s"}, "i": {ID: "i"},
	} {
		if got := mesh.DisplayName(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestAdmissionRefusesWhoIsUnknown(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	mesh := newMesh(t, s)
	for _, unknown := range []string{"", "x", "a}b{c", strings.Repeat("0", 32), mesh.ID + "0"} {
		if _, _, err := s.Admission(t.Context(), unknown, key(creatorKey)); !errors.Is(err, ErrNoMesh) {
			t.Errorf("mesh %q: got %v, want ErrNoMesh", unknown, err)
		}
		if _, err := s.Mesh(t.Context(), unknown); !errors.Is(err, ErrNoMesh) {
			t.Errorf("mesh %q: got %v, want ErrNoMesh", unknown, err)
		}
	}
	got, _, err := s.Admission(t.Context(), mesh.ID, key(5))
	if !errors.Is(err, ErrNotMember) || got.Name != "Acme" {
		t.Errorf("got %+v, %v; want the mesh and ErrNotMember", got, err)
	}
}

func TestAMeshIsCalledWhatItsOwnerSays(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	mesh := newMesh(t, s)
	for _, name := range []string{"@now", "archived", "Acme\u202e"} {
		if err := s.SetMesh(t.Context(), mesh.ID, MeshChange{Name: &name}); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Mesh(t.Context(), mesh.ID); err != nil || got.Name != name {
			t.Errorf("named %q, it is called %q, %v", name, got.Name, err)
		}
	}
}

func TestAnArchivedMeshLetsNobodyIn(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	mesh := newMesh(t, s)
	addInvite(t, s, mesh.ID, 1, 1, time.Hour)
	archive(t, s, mesh.ID)
	if _, _, err := s.Admission(t.Context(), mesh.ID, key(creatorKey)); !errors.Is(err, ErrNoMesh) {
		t.Errorf("admission: got %v", err)
	}
	if _, err := enrol(t, s, mesh.ID, 1, 1); !errors.Is(err, ErrNoMesh) {
		t.Errorf("enrol: got %v", err)
	}
	_, err := s.AddInvite(t.Context(), mesh.ID, NewInvite{TokenHash: hash(2), MaxUses: 1, ExpiresAt: time.Now()})
	if !errors.Is(err, ErrNoMesh) {
		t.Errorf("invite: got %v", err)
	}
	if got, err := s.Mesh(t.Context(), mesh.ID); err != nil || !got.Archived {
		t.Errorf("got %+v, %v; want an archived mesh", got, err)
	}
}

func archive(t *testing.T, s *Store, mesh string) {
	t.Helper()
	if err := s.c.Raw().HSet(t.Context(), s.keys.mesh(mesh), "archived", "1").Err(); err != nil {
		t.Fatal(err)
	}
}
