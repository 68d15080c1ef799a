package registry

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/infra/redistest"
)

func newStore(tb testing.TB, o Options) *Store {
	tb.Helper()
	return New(redistest.Start(tb).Client(tb), o)
}

// key returns a text of a key's shape. The registry verifies no signatures of
// members, so any will do.
func key(n int) string { return fmt.Sprintf("%064x", n+0xabc000) }

func hash(n int) string { return wire.TokenHash(fmt.Sprint("token ", n)) }

const ownerKey, creatorKey = 1_000_000, 1_000_001

func newMesh(tb testing.TB, s *Store) Mesh {
	tb.Helper()
	mesh, _, err := s.CreateMesh(tb.Context(), NewMesh{
		Name: "Acme", OwnerKey: key(ownerKey), MemberKey: key(creatorKey), Member: "ana",
	})
	if err != nil {
		tb.Fatal(err)
	}
	return mesh
}

func addInvite(tb testing.TB, s *Store, mesh string, n, uses int, lasts time.Duration) Invite {
	tb.Helper()
	invite, err := s.AddInvite(tb.Context(), mesh, NewInvite{
		TokenHash: hash(n), Role: wire.RoleMember, MaxUses: uses, ExpiresAt: time.Now().Add(lasts),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return invite
}

func enrol(tb testing.TB, s *Store, mesh string, invite, member int) (Enrolled, error) {
	tb.Helper()
	return s.Enrol(tb.Context(), Enrolment{
		Mesh: mesh, TokenHash: hash(invite), Key: key(member), Name: fmt.Sprint("member ", member),
	})
}

// hear subscribes to a channel and returns a function that waits for the next
// message on it.
func hear(t *testing.T, s *Store, channel string) func() string {
	t.Helper()
	sub := s.c.Raw().Subscribe(t.Context(), channel)
	t.Cleanup(func() { _ = sub.Close() })
	if _, err := sub.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	messages := sub.Channel()
	return func() string {
		select {
		case m := <-messages:
			return strings.ReplaceAll(m.Payload, "\x1f", " ")
		case <-time.After(time.Minute):
			t.Error("no bell")
			return ""
		}
	}
}
