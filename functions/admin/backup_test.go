package admin_test

import (
	"crypto/ed25519"
	"errors"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/functionstest"
	"github.com/claudemesh/claudemesh/functions/registry"
)

const operatorToken = "correct horse"

// parts reads a whole backup.
func (p *place) parts(t *testing.T) []wire.Backup {
	t.Helper()
	var out []wire.Backup
	for after := ""; ; {
		var part wire.Backup
		into(t, p.serve(t, signed(t, "GET", p.path("/backup?after="+url.QueryEscape(after)), "", p.Owner)), &part)
		out = append(out, part)
		if after = part.Next; after == "" || len(out) > 100 {
			return out
		}
	}
}

func (p *place) restore(t *testing.T, part wire.Backup, by ed25519.PrivateKey, token string) *httptest.ResponseRecorder {
	t.Helper()
	r := signed(t, "POST", p.path("/restore"), part, by)
	r.Header.Set(wire.HeaderOperatorToken, token)
	return p.serve(t, r)
}

func TestAMeshComesBackFromItsBackup(t *testing.T) {
	t.Parallel()
	p := newPlace(t, tokenConfig(operatorToken))
	key := wire.PublicKey(p.Creator)
	var last ed25519.PrivateKey
	for range 150 {
		last = enrol(t, p, wire.RoleMember)
	}
	banned := enrolled(t, p, wire.RoleMember)
	if err := p.Store.Ban(t.Context(), p.ID, banned); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Store.SetGrants(t.Context(), p.ID, key, wire.Grants{banned: {}}); err != nil {
		t.Fatal(err)
	}
	code := wire.NewID(wire.CodeLength)
	if _, err := p.Store.AddInvite(t.Context(), p.ID, registry.NewInvite{
		TokenHash: wire.TokenHash("x"), Role: wire.RoleMember, MaxUses: 1, ExpiresAt: soon(), CodeHash: wire.CodeHash(code), Sealed: "sealed",
	}); err != nil {
		t.Fatal(err)
	}
	before, err := p.Store.Members(t.Context(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	backup := p.parts(t)
	if len(backup) < 2 {
		t.Errorf("%d part", len(backup))
	}
	if err := p.client.Raw().FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}

	for range 2 { // a repeat changes nothing
		for n, part := range backup {
			expect(t, "restore", p.restore(t, part, p.Owner, operatorToken), 204, "")
			if n == 0 {
				expect(t, "with the first part the mesh is back", p.serve(t, signed(t, "GET", p.path(""), "", p.Owner)), 200, "")
			}
		}
	}
	after, err := p.Store.Members(t.Context(), p.ID)
	if err != nil || len(after) != len(before) {
		t.Fatalf("%d members came back of %d, %v", len(after), len(before), err)
	}
	if _, _, err := p.Store.Admission(t.Context(), p.ID, banned); !errors.Is(err, registry.ErrRevoked) {
		t.Errorf("the banned: %v", err)
	}
	if g, err := p.Store.Grants(t.Context(), p.ID, key); err != nil || g.Allows(banned, "", wire.CapDM) {
		t.Errorf("grants %v, %v", g, err)
	}
	if _, i, err := p.Store.InviteByCode(t.Context(), code); err != nil || i.Sealed != "sealed" {
		t.Errorf("invite %+v, %v", i, err)
	}
	if mine, err := p.Store.MeshesOf(t.Context(), wire.PublicKey(last)); err != nil || len(mine) != 1 {
		t.Errorf("a member's meshes: %v, %v", mine, err)
	}
}

func TestAttackForgedRestore(t *testing.T) {
	t.Parallel()
	p := newPlace(t, tokenConfig(operatorToken))
	backup := p.parts(t)[0]
	evil := functionstest.Key()
	mine := wire.Backup{Format: 1, MeshID: p.ID, Records: []wire.BackupRecord{{Kind: "mesh", Field: "owner", Value: wire.PublicKey(evil)}}}
	expect(t, "without the operator", p.restore(t, backup, p.Owner, "wrong"), 403, wire.CodeOperatorToken)
	expect(t, "by a stranger", p.restore(t, backup, evil, operatorToken), 403, wire.CodeForbidden)
	expect(t, "naming another owner", p.restore(t, mine, evil, operatorToken), 403, wire.CodeForbidden)
	expect(t, "of another mesh", p.restore(t, wire.Backup{Format: 1, MeshID: wire.NewID(32), Records: mine.Records}, p.Owner, operatorToken), 400, wire.CodeInvalidArgument)
	for _, r := range []wire.BackupRecord{
		{Kind: "mesh", Field: "policycounter2", Value: "1"},
		{Kind: "secrets", Field: "x"},
		{Kind: "member", Field: "x", Value: "{}"},
		{Kind: "member", Field: wire.PublicKey(evil), Value: `{"id":"` + wire.NewID(32) + `","role":"owner"}`},
		{Kind: "ban", Field: wire.PublicKey(evil), Value: "soon"},
		{Kind: "invite", Field: "x:y", Value: ""},
		{Kind: "invite", Field: wire.TokenHash("t"), Value: "1 1 {}"},
		{Kind: "grant", Field: "a b", Value: "[]"},
		{Kind: "mesh", Field: "policy", Value: "nonsense"},
		{Kind: "mesh", Field: "slug", Value: "A:B"},
	} {
		part := wire.Backup{Format: 1, MeshID: p.ID, Records: []wire.BackupRecord{r}}
		expect(t, r.Kind+" "+r.Field, p.restore(t, part, p.Owner, operatorToken), 400, wire.CodeInvalidArgument)
	}
	policy := wire.BackupRecord{Kind: "mesh", Field: "policy", Value: `{"mode":"plain","counter":9,"signedAt":1,"signature":"` + strings.Repeat("0", 128) + `"}`}
	unsigned := wire.Backup{Format: 1, MeshID: p.ID, Records: []wire.BackupRecord{policy}}
	expect(t, "an unsigned policy", p.restore(t, unsigned, p.Owner, operatorToken), 403, wire.CodeBadSignature)
}
