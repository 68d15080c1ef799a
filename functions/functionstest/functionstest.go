package functionstest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/registry"
)

// Key returns a fresh Ed25519 key.
func Key() ed25519.PrivateKey {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic(err) // the operating system has no randomness
	}
	return key
}

// Mesh is a mesh with everything that its owner knows about it.
type Mesh struct {
	registry.Mesh
	Store   *registry.Store
	Owner   ed25519.PrivateKey
	Creator ed25519.PrivateKey // of the first member, an admin
	RootKey string
}

// NewMesh makes a mesh in the store.
func NewMesh(tb testing.TB, store *registry.Store) *Mesh {
	tb.Helper()
	root := make([]byte, wire.RootKeySize)
	_, _ = rand.Read(root) // never fails
	m := &Mesh{Store: store, Owner: Key(), Creator: Key(), RootKey: base64.RawURLEncoding.EncodeToString(root)}
	var err error
	m.Mesh, _, err = store.CreateMesh(tb.Context(), registry.NewMesh{
		Name: "Acme", OwnerKey: wire.PublicKey(m.Owner), MemberKey: wire.PublicKey(m.Creator), Member: "ana",
	})
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// Sign returns an invite into the mesh, and its token. The registry does not
// know it yet.
func (m *Mesh) Sign(tb testing.TB, role string, expires time.Time) (wire.Invite, string) {
	tb.Helper()
	i := wire.Invite{
		MeshID: m.ID, MeshSlug: m.Slug, BrokerURL: "wss://broker.example/ws", ExpiresAt: expires.Unix(),
		MeshRootKey: m.RootKey, Role: role,
	}
	i.Sign(m.Owner)
	token, err := i.Token()
	if err != nil {
		tb.Fatal(err)
	}
	return i, token
}

// Invite returns an invite that the registry knows, with its token and id.
func (m *Mesh) Invite(tb testing.TB, role string, uses int, expires time.Time) (i wire.Invite, token, id string) {
	tb.Helper()
	i, token = m.Sign(tb, role, expires)
	stored, err := m.Store.AddInvite(tb.Context(), m.ID, registry.NewInvite{
		TokenHash: wire.TokenHash(token), Role: role, MaxUses: uses, ExpiresAt: expires,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return i, token, stored.ID
}

// Request returns a request as a server receives it, from one address of the
// documentation range.
func Request(method, target string, body []byte) *http.Request {
	r := httptest.NewRequest(method, target, bytes.NewReader(body))
	r.RemoteAddr = "192.0.2.7:4242"
	return r
}
