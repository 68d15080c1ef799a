package bench

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/registry"
)

// A mesh is one that this process may enrol members in.
type mesh struct {
	fleet *fleet
	id    string
	token string // hash of an invite
}

// A member is an enrolled key.
type member struct {
	mesh *mesh
	id   string
	name string
	key  ed25519.PrivateKey
}

// newKey makes a key from what nobody else has. It need not be secret.
func newKey() ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(wire.NewID(wire.LongID)))
	return ed25519.NewKeyFromSeed(seed[:])
}

// inviteFor is longer than any run.
const inviteFor = time.Hour

func (f *fleet) newMesh(ctx context.Context) (*mesh, error) {
	owner := newKey()
	made, _, err := f.registry.CreateMesh(ctx, registry.NewMesh{
		Name: "bench", Slug: "b" + wire.NewID(wire.ShortID), OwnerKey: wire.PublicKey(owner),
		MemberKey: wire.PublicKey(newKey()), Member: "founder",
	})
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	sum := sha256.Sum256([]byte(made.ID))
	m := &mesh{fleet: f, id: made.ID, token: hex.EncodeToString(sum[:])}
	_, err = f.registry.AddInvite(ctx, m.id, registry.NewInvite{
		TokenHash: m.token, Role: wire.RoleMember, MaxUses: wire.MaxInviteUses, ExpiresAt: time.Now().Add(inviteFor),
	})
	return m, err
}

// enrol makes a member.
func (m *mesh) enrol(ctx context.Context, name string) (*member, error) {
	out := &member{mesh: m, name: name, key: newKey()}
	got, err := m.fleet.registry.Enrol(ctx, registry.Enrolment{
		Mesh: m.id, TokenHash: m.token, Key: wire.PublicKey(out.key), Name: name,
	})
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	out.id = got.MemberID
	return out, nil
}

// members makes n members in meshes of at most perMesh.
func (f *fleet) members(ctx context.Context, n, perMesh int) ([]*member, error) {
	var m *mesh
	out := make([]*member, 0, n)
	for i := range n {
		if i%perMesh == 0 {
			var err error
			if m, err = f.newMesh(ctx); err != nil {
				return nil, err
			}
		}
		one, err := m.enrol(ctx, fmt.Sprintf("member-%d", i))
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

// hello makes a signed handshake of a session, as long as those of real peers.
func (m *member) hello(session ed25519.PrivateKey) *wire.SessionHello {
	h := &wire.SessionHello{
		MeshID: m.mesh.id, ParentMemberID: m.id, ParentMemberPubkey: wire.PublicKey(m.key),
		SessionPubkey:     wire.PublicKey(session),
		ParentAttestation: wire.Attest(m.key, wire.PublicKey(session), time.Now().Add(inviteFor)),
		About: wire.About{
			DisplayName: m.name, SessionID: "session-" + m.name, PID: 4711, Cwd: "/home/" + m.name, Hostname: "host", PeerType: "ai",
		},
		Timestamp: wire.MillisAt(time.Now()),
	}
	h.Sign(session)
	return h
}
