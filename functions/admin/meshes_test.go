package admin_test

import (
	"crypto/ed25519"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/admin"
	"github.com/claudemesh/claudemesh/functions/functionstest"
)

// into reads a successful answer.
func into(tb testing.TB, w *httptest.ResponseRecorder, v any) {
	tb.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), v); err != nil || w.Code != 200 {
		tb.Fatalf("%d %s, %v", w.Code, w.Body, err)
	}
}

func TestEverybodySeesTheirOwnMeshes(t *testing.T) {
	t.Parallel()
	p := newPlace(t, admin.Config{})
	functionstest.NewMesh(t, p.Store)
	member := enrol(t, p, wire.RoleMember)
	for name, c := range map[string]struct {
		key     ed25519.PrivateKey
		owner   bool
		role    string
		meshes  int
		members bool
	}{
		"owner":    {p.Owner, true, "", 1, false},
		"creator":  {p.Creator, false, wire.RoleAdmin, 1, true},
		"member":   {member, false, wire.RoleMember, 1, true},
		"stranger": {functionstest.Key(), false, "", 0, false},
	} {
		var out wire.MeshesResponse
		into(t, p.serve(t, signed(t, "GET", "/v1/meshes", "", c.key)), &out)
		if len(out.Meshes) != c.meshes {
			t.Errorf("%s: %+v", name, out)
			continue
		}
		if c.meshes == 0 {
			continue
		}
		if m := out.Meshes[0]; m.MeshID != p.ID || m.IsOwner != c.owner || m.Role != c.role || (m.JoinedAt != nil) != c.members {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

func TestSettingsAreChangedAndAnArchivedMeshIsGone(t *testing.T) {
	t.Parallel()
	p := newPlace(t, admin.Config{})
	heard := hear(t, p.client, p.ID)
	expect(t, "set", p.serve(t, signed(t, "PATCH", p.path(""), `{"name":"New","selfEditable":{"displayName":true}}`, p.Creator)), 204, "")
	if got := heard(); got != "settings" {
		t.Errorf("rang %q", got)
	}
	var out wire.MeshResponse
	into(t, p.serve(t, signed(t, "GET", p.path(""), "", p.Creator)), &out)
	if out.Name != "New" || out.Slug != p.Slug || out.Members != 1 || out.SelfEditable == nil || !out.SelfEditable.DisplayName || out.OwnerPubkey != p.OwnerKey {
		t.Errorf("got %+v", out)
	}
	for _, body := range []string{"{}", `{"name":""}`, `{"name":"a\nb"}`, "[]"} {
		code := wire.CodeInvalidArgument
		if body == "[]" {
			code = wire.CodeMalformed
		}
		expect(t, body, p.serve(t, signed(t, "PATCH", p.path(""), body, p.Owner)), 400, code)
	}
	expect(t, "an admin archives", p.serve(t, signed(t, "DELETE", p.path(""), "", p.Creator)), 403, wire.CodeForbidden)
	expect(t, "archive", p.serve(t, signed(t, "DELETE", p.path(""), "", p.Owner)), 204, "")
	if got := heard(); got != "archived" {
		t.Errorf("rang %q", got)
	}
	expect(t, "afterwards", p.serve(t, signed(t, "GET", p.path(""), "", p.Owner)), 404, wire.CodeMeshNotFound)
}

func TestAMemberIsChangedByWhomItMayBe(t *testing.T) {
	t.Parallel()
	p := newPlace(t, admin.Config{})
	member, other, adm := enrol(t, p, wire.RoleMember), enrol(t, p, wire.RoleMember), enrol(t, p, wire.RoleAdmin)
	set := func(whom, by ed25519.PrivateKey, body string) *httptest.ResponseRecorder {
		return p.serve(t, signed(t, "PATCH", p.path("/members/"+wire.PublicKey(whom)), body, by))
	}
	heard := hear(t, p.client, p.ID)
	var out wire.MeshMember
	into(t, set(member, p.Creator, `{"displayName":"Bob","roleTag":"ops","groups":[{"name":"eng"}],"messageMode":"inbox"}`), &out)
	if out.DisplayName != "Bob" || out.RoleTag != "ops" || len(out.Groups) != 1 || out.MessageMode != "inbox" || out.Role != wire.RoleMember {
		t.Errorf("got %+v", out)
	}
	if got := heard(); got != "profile "+wire.PublicKey(member) {
		t.Errorf("rang %q", got)
	}
	const name = `{"displayName":"X"}`
	for what, c := range map[string]struct {
		w      *httptest.ResponseRecorder
		status int
		code   wire.Code
	}{
		"itself":                      {set(member, member, name), 200, ""},
		"another member":              {set(other, member, name), 403, wire.CodeForbidden},
		"an admin itself":             {set(adm, adm, name), 200, ""},
		"an admin another admin":      {set(p.Creator, adm, name), 403, wire.CodeForbidden},
		"a member makes itself admin": {set(member, member, `{"role":"admin"}`), 403, wire.CodeForbidden},
		"an admin makes an admin":     {set(member, adm, `{"role":"admin"}`), 403, wire.CodeForbidden},
		"nobody's key":                {set(functionstest.Key(), p.Owner, name), 404, wire.CodeNotFound},
		"nothing":                     {set(member, p.Owner, `{}`), 400, wire.CodeInvalidArgument},
		"no such role":                {set(member, p.Owner, `{"role":"owner"}`), 400, wire.CodeInvalidArgument},
		"an empty name":               {set(member, p.Owner, `{"displayName":""}`), 400, wire.CodeInvalidArgument},
		"the owner makes an admin":    {set(other, p.Owner, `{"role":"admin"}`), 200, ""},
	} {
		expect(t, what, c.w, c.status, c.code)
	}
	expect(t, "policy", p.serve(t, signed(t, "PATCH", p.path(""), `{"selfEditable":{"displayName":true}}`, p.Owner)), 204, "")
	expect(t, "an allowed field", set(member, member, name), 200, "")
	expect(t, "a managed field", set(member, member, `{"displayName":"Y","roleTag":"boss"}`), 403, wire.CodeForbidden)
}

func TestAMemberSetsItsOwnGrants(t *testing.T) {
	t.Parallel()
	p := newPlace(t, admin.Config{})
	member, other := enrol(t, p, wire.RoleMember), wire.PublicKey(p.Creator)
	var out wire.GrantsResponse
	into(t, p.serve(t, signed(t, "GET", p.path("/grants"), "", member)), &out)
	if len(out.Grants) != 0 {
		t.Errorf("got %+v", out)
	}
	into(t, p.serve(t, signed(t, "PATCH", p.path("/grants"), `{"grants":{"`+other+`":[]}}`, member)), &out)
	if g, err := p.Store.Grants(t.Context(), p.ID, wire.PublicKey(member)); err != nil || g.Allows(other, "", wire.CapDM) || len(out.Grants) != 1 {
		t.Errorf("got %+v, %v", g, err)
	}
	into(t, p.serve(t, signed(t, "PATCH", p.path("/grants"), `{"grants":{"`+other+`":null}}`, member)), &wire.GrantsResponse{})
	if g, err := p.Store.Grants(t.Context(), p.ID, wire.PublicKey(member)); err != nil || !g.Allows(other, "", wire.CapDM) {
		t.Errorf("got %+v, %v", g, err)
	}
	for _, body := range []string{`{}`, `{"grants":{"ana":[]}}`, `{"grants":{"` + other + `":["everything"]}}`} {
		expect(t, body, p.serve(t, signed(t, "PATCH", p.path("/grants"), body, member)), 400, wire.CodeInvalidArgument)
	}
	expect(t, "an owner that is no member", p.serve(t, signed(t, "PATCH", p.path("/grants"), `{"grants":{"`+other+`":[]}}`, p.Owner)), 404, wire.CodeNotFound)
}

func TestInvitesAreListedWithoutTheirTokens(t *testing.T) {
	t.Parallel()
	p := newPlace(t, admin.Config{})
	i, token := p.Sign(t, wire.RoleMember, soon())
	link := wire.NewShortLink("https://mesh.example", &i)
	in := newInvite(token)
	in.InviteID, in.CodeHash, in.InvitedBy = wire.NewID(wire.LongID), wire.CodeHash(link.Code), "Ana"
	in.SealedInvite = wire.EncodeSealedInvite([24]byte{}, make([]byte, 40))
	v2 := in.V2(p.ID, p.OwnerKey)
	in.SignatureV2 = v2.Sign(p.Owner).Signature
	expect(t, "create", p.serve(t, signed(t, "POST", p.path("/invites"), in, p.Owner)), 201, "")
	again := newInvite("another token")
	again.InviteID, again.CodeHash, again.SealedInvite = wire.NewID(wire.LongID), in.CodeHash, in.SealedInvite
	expect(t, "the same code", p.serve(t, signed(t, "POST", p.path("/invites"), again, p.Owner)), 409, wire.CodeInviteExists)
	again.CodeHash, again.SignatureV2 = wire.CodeHash("x"), in.SignatureV2
	expect(t, "another's signature", p.serve(t, signed(t, "POST", p.path("/invites"), again, p.Owner)), 403, wire.CodeBadSignature)

	w := p.serve(t, signed(t, "GET", p.path("/invites"), "", p.Creator))
	var out wire.InvitesResponse
	into(t, w, &out)
	if len(out.Invites) != 1 || out.Invites[0].InviteID != in.InviteID || !out.Invites[0].ShortLink || out.Invites[0].InvitedBy != "Ana" {
		t.Errorf("got %+v", out)
	}
	for _, secret := range []string{token, in.TokenHash, in.SealedInvite, link.Code, in.CodeHash} {
		if strings.Contains(w.Body.String(), secret) {
			t.Errorf("the list tells %s", secret)
		}
	}
}

func TestTheAuditLogIsReadInPagesAndVerified(t *testing.T) {
	t.Parallel()
	p := newPlace(t, admin.Config{})
	member := enrolled(t, p, wire.RoleMember)
	expect(t, "ban", p.serve(t, signed(t, "POST", p.path("/bans/"+member), "", p.Creator)), 204, "")
	var page, rest wire.AuditResponse
	into(t, p.serve(t, signed(t, "GET", p.path("/audit?limit=1"), "", p.Owner)), &page)
	if page.Total != 4 || len(page.Entries) != 1 || page.Entries[0].EventType != "member_banned" || len(page.Entries[0].Actor) != wire.LongID {
		t.Fatalf("got %+v", page)
	}
	into(t, p.serve(t, signed(t, "GET", p.path("/audit?before="+page.Entries[0].ID), "", p.Owner)), &rest)
	if len(rest.Entries) != 3 || rest.Entries[2].EventType != "mesh_created" {
		t.Errorf("got %+v", rest)
	}
	prev := wire.AuditGenesis
	for n := len(rest.Entries) - 1; n >= 0; n-- {
		e := rest.Entries[n]
		hash, err := wire.AuditHash(prev, p.ID, e.EventType, e.Actor, e.Payload, e.CreatedAt.Time)
		if err != nil || hash != e.Hash {
			t.Errorf("a reader cannot verify %+v", e)
		}
		prev = hash
	}
	var verdict wire.AuditVerdict
	into(t, p.serve(t, signed(t, "GET", p.path("/audit/verify"), "", p.Owner)), &verdict)
	if !verdict.Valid || verdict.Entries != 4 {
		t.Errorf("got %+v", verdict)
	}
	expect(t, "no id", p.serve(t, signed(t, "GET", p.path("/audit?before=x"), "", p.Owner)), 400, wire.CodeInvalidArgument)
}
