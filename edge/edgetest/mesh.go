package edgetest

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/registry"
)

// Mesh is a mesh whose keys the test knows.
type Mesh struct {
	ID       string
	Owner    ed25519.PrivateKey
	Registry *registry.Store

	t     testing.TB
	token string // hash of an invite that never ends

	mu      sync.Mutex
	members map[string]*Member
}

// Member is one enrolled key.
type Member struct {
	Mesh *Mesh
	ID   string
	Name string
	Key  ed25519.PrivateKey
}

// Pub is the member's public key.
func (m *Member) Pub() string { return wire.PublicKey(m.Key) }

// NewKey returns a fresh key.
func NewKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// NewMesh makes a mesh in the edge's Redis.
func (e *Edge) NewMesh() *Mesh {
	e.t.Helper()
	m := &Mesh{t: e.t, Owner: NewKey(e.t), Registry: e.Registry, members: map[string]*Member{}}
	first := &Member{Mesh: m, Name: "founder", Key: NewKey(e.t)}
	mesh, member, err := e.Registry.CreateMesh(e.t.Context(), registry.NewMesh{
		Name: "Test Mesh", OwnerKey: wire.PublicKey(m.Owner), MemberKey: first.Pub(), Member: first.Name,
	})
	if err != nil {
		e.t.Fatal(err)
	}
	m.ID, first.ID = mesh.ID, member.ID
	m.members[first.Name] = first
	sum := sha256.Sum256([]byte(mesh.ID))
	m.token = hex.EncodeToString(sum[:])
	if _, err := e.Registry.AddInvite(e.t.Context(), mesh.ID, registry.NewInvite{
		TokenHash: m.token, Role: wire.RoleMember, MaxUses: wire.MaxInviteUses, ExpiresAt: time.Now().Add(time.Hour),
	}); err != nil {
		e.t.Fatal(err)
	}
	return m
}

// Member returns the member of that name, enrolling it first if need be.
func (m *Mesh) Member(name string) *Member {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if got := m.members[name]; got != nil {
		return got
	}
	member := &Member{Mesh: m, Name: name, Key: NewKey(m.t)}
	got, err := m.Registry.Enrol(m.t.Context(), registry.Enrolment{
		Mesh: m.ID, TokenHash: m.token, Key: member.Pub(), Name: name,
	})
	if err != nil {
		m.t.Fatal(err)
	}
	member.ID = got.MemberID
	m.members[name] = member
	return member
}

// lastPID gives every peer of a test process a pid of its own.
var lastPID atomic.Int64

func about(name string) wire.About {
	return wire.About{
		DisplayName: name, SessionID: "session-" + wire.NewID(wire.ShortID), PID: wire.PID(1000 + lastPID.Add(1)),
		Cwd: "/home/" + name, Hostname: "host", PeerType: "ai",
	}
}

// SessionHello makes a signed handshake for a session of the member. Change
// and sign it again to send a wrong one.
func (m *Member) SessionHello(session ed25519.PrivateKey) *wire.SessionHello {
	h := &wire.SessionHello{
		MeshID: m.Mesh.ID, ParentMemberID: m.ID, ParentMemberPubkey: m.Pub(),
		SessionPubkey:     wire.PublicKey(session),
		ParentAttestation: wire.Attest(m.Key, wire.PublicKey(session), time.Now().Add(time.Hour)),
		About:             about(m.Name), Timestamp: wire.MillisAt(time.Now()),
	}
	h.Sign(session)
	return h
}

// Hello makes a signed handshake for a member connection.
func (m *Member) Hello() *wire.Hello {
	h := &wire.Hello{
		MeshID: m.Mesh.ID, MemberID: m.ID, Pubkey: m.Pub(), About: about(m.Name), Timestamp: wire.MillisAt(time.Now()),
	}
	h.DisplayName = "" // as the reference daemon does
	h.Sign(m.Key)
	return h
}
