package command

import (
	"crypto/ed25519"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/claudemesh/claudemesh/cli/internal/identity"
	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// linkBroker keeps invites with short links, as honestly as a test wants.
type linkBroker struct {
	url, http string

	mu       sync.Mutex
	invites  map[string]wire.CreateInviteRequest // by the hash of the code
	owner    string
	expires  []int64 // of the invites asked for, refused ones included
	taken    int     // how many to refuse as existing
	forgets  bool    // knows no short links
	preview  func(*wire.InvitePreview) (int, any)
	claimed  func(*wire.ClaimResponse)
	requests []string
}

func newLinkBroker(t *testing.T) *linkBroker {
	t.Helper()
	b := &linkBroker{invites: make(map[string]wire.CreateInviteRequest)}
	s := httptest.NewServer(http.HandlerFunc(b.serve))
	t.Cleanup(s.Close)
	b.http = s.URL
	b.url = "ws" + strings.TrimPrefix(s.URL, "http") + wire.Path
	return b
}

func (b *linkBroker) serve(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	b.requests = append(b.requests, r.Method+" "+r.URL.Path+" "+string(body))
	status, answer := b.answer(r, body)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer)
}

func (b *linkBroker) answer(r *http.Request, body []byte) (int, any) {
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case r.URL.Path == "/v1/meshes":
		var in wire.CreateMeshRequest
		_ = json.Unmarshal(body, &in)
		b.owner = in.OwnerPubkey
		return http.StatusCreated, wire.CreateMeshResponse{MeshID: testMesh, Slug: "acme", Name: "Acme", MemberID: testMember}
	case path[len(path)-1] == "invites":
		return b.create(body)
	case len(path) == 3 && path[1] == "invites":
		in, ok := b.invites[wire.CodeHash(path[2])]
		if !ok {
			return http.StatusNotFound, wire.NewHTTPError(wire.CodeNotFound, "no such invite")
		}
		preview := wire.InvitePreview{MeshName: "Acme", Role: in.Role, ExpiresAt: in.ExpiresAt, OwnerPubkey: b.owner, SealedInvite: in.SealedInvite}
		if b.preview != nil {
			return b.preview(&preview)
		}
		return http.StatusOK, preview
	case len(path) == 3 && path[2] == "claim":
		return b.claim(path[1], body)
	}
	return http.StatusNotFound, "nothing"
}

func (b *linkBroker) create(body []byte) (int, any) {
	var in wire.CreateInviteRequest
	_ = json.Unmarshal(body, &in)
	b.expires = append(b.expires, in.ExpiresAt)
	if b.taken > 0 {
		b.taken--
		return http.StatusConflict, wire.NewHTTPError(wire.CodeInviteExists, "an invite with this token exists")
	}
	if b.forgets {
		return http.StatusCreated, wire.CreateInviteResponse{InviteID: "another", ExpiresAt: in.ExpiresAt}
	}
	b.invites[in.CodeHash] = in
	return http.StatusCreated, wire.CreateInviteResponse{InviteID: in.InviteID, ExpiresAt: in.ExpiresAt}
}

func (b *linkBroker) claim(code string, body []byte) (int, any) {
	var in wire.ClaimRequest
	_ = json.Unmarshal(body, &in)
	invite := b.invites[wire.CodeHash(code)]
	if wire.InviteHash(in.InviteProof) != invite.TokenHash || in.PeerPubkey == "" {
		return http.StatusNotFound, wire.ClaimError{Error: wire.ClaimNotFound}
	}
	out := wire.ClaimResponse{MeshID: testMesh, MemberID: testMember, OwnerPubkey: b.owner}
	if b.claimed != nil {
		b.claimed(&out)
	}
	return http.StatusOK, out
}

// invited makes a mesh and a short link to it.
func invited(t *testing.T, b *linkBroker, flags ...string) (owner *machine, answer inviteAnswer) {
	t.Helper()
	owner = newMachine(t, b.url)
	must[membershipAnswer](owner, "create", "Acme")
	return owner, must[inviteAnswer](owner, append([]string{"invite"}, flags...)...)
}

func TestS1_AShortLinkBringsTheRootKeyPastTheBroker(t *testing.T) {
	t.Parallel()
	b := newLinkBroker(t)
	ana, answer := invited(t, b)
	bob := newMachine(t, "")
	joined := must[membershipAnswer](bob, "join", answer.ShortLink, "--name", "Bob")
	mine, yours := ana.config().Meshes[0], bob.config().Meshes[0]
	if joined.MeshID != testMesh || yours.RootKey == "" || yours.RootKey != mine.RootKey || yours.OwnerPublicKey != mine.OwnerPublicKey {
		t.Errorf("joined %+v with %v", joined, yours)
	}
	_, fragment, _ := strings.Cut(answer.ShortLink, "#")
	for _, request := range b.requests {
		for what, secret := range map[string]string{
			"the root key": mine.RootKey, "the fragment": fragment, "the token": strings.TrimPrefix(answer.Link, "ic://join/"),
			"Bob's secret": yours.SecretKey[:64],
		} {
			if strings.Contains(request, secret) {
				t.Errorf("%s is in %s", what, request)
			}
		}
	}
	requests := len(b.requests)
	if again := must[membershipAnswer](bob, "join", answer.ShortLink); again != joined || len(b.requests) != requests {
		t.Errorf("the second time %+v, after %d requests", again, len(b.requests)-requests)
	}
}

// TestAttackTheBrokerOfAShortLinkHandsOutAnotherInvite in every way it could.
func TestAttackTheBrokerOfAShortLinkHandsOutAnotherInvite(t *testing.T) {
	t.Parallel()
	b, evil := newLinkBroker(t), newLinkBroker(t)
	_, answer := invited(t, b)
	_, other := invited(t, evil)
	link, err := wire.ParseShortLink(answer.ShortLink)
	if err != nil {
		t.Fatal(err)
	}
	_, mallory, _ := ed25519.GenerateKey(nil)
	forged := wire.Invite{
		MeshID: testMesh, MeshSlug: "acme", BrokerURL: evil.url, Role: "member", ExpiresAt: answer.ExpiresAt.Unix(),
		MeshRootKey: identity.EncodeRoot(seal.Key{1}),
	}
	forged.Sign(mallory)
	token, err := forged.Token()
	if err != nil {
		t.Fatal(err)
	}
	otherLink, err := wire.ParseShortLink(other.ShortLink)
	if err != nil {
		t.Fatal(err)
	}
	for name, sealed := range map[string]string{
		"of another mesh of its own":           evil.invites[wire.CodeHash(otherLink.Code)].SealedInvite,
		"forged, by somebody who has the link": seal.Invite(&link, token),
		"nothing":                              "",
	} {
		b.preview = func(p *wire.InvitePreview) (int, any) { p.SealedInvite = sealed; return http.StatusOK, p }
		before := len(b.requests) + len(evil.requests)
		bob := newMachine(t, "")
		_, talk, code := bob.run("join", answer.ShortLink)
		if code != ui.ExitFailed || !strings.Contains(talk, "handed out another invite") || !strings.Contains(talk, "hint: ") {
			t.Errorf("%s exits with %d: %s", name, code, talk)
		}
		if len(bob.config().Meshes) != 0 || len(b.requests)+len(evil.requests) != before+1 {
			t.Errorf("%s: joined, or claimed", name)
		}
	}
	b.preview = nil
	b.claimed = func(r *wire.ClaimResponse) { r.OwnerPubkey = wire.PublicKey(mallory) }
	bob := newMachine(t, "")
	if _, talk, code := bob.run("join", answer.ShortLink); code != ui.ExitFailed || !strings.Contains(talk, "do not use it") || len(bob.config().Meshes) != 0 {
		t.Errorf("another owner in the claim's answer exits with %d: %s", code, talk)
	}
}

func TestTheProofGoesToTheBrokerThatTheOwnerSignedAndNotToWhoServesTheLink(t *testing.T) {
	t.Parallel()
	b, page := newLinkBroker(t), newLinkBroker(t)
	_, answer := invited(t, b)
	page.invites, page.owner = b.invites, b.owner
	moved := strings.Replace(answer.ShortLink, b.http, page.http, 1)
	must[membershipAnswer](newMachine(t, ""), "join", moved)
	if len(page.requests) != 1 || !strings.HasPrefix(page.requests[0], "GET /v1/invites/") {
		t.Errorf("the page's host heard %q", page.requests)
	}
	if last := b.requests[len(b.requests)-1]; !strings.Contains(last, "/claim ") {
		t.Errorf("the broker heard %s", last)
	}
}

func TestWhyAShortLinkCannotBeUsedIsSaidInWords(t *testing.T) {
	t.Parallel()
	b := newLinkBroker(t)
	_, answer := invited(t, b)
	url, fragment, _ := strings.Cut(answer.ShortLink, "#")
	for link, want := range map[string]string{
		url: "behind #",
		answer.ShortLink[:len(answer.ShortLink)-1]:           "behind #",
		strings.Replace(answer.ShortLink, "/i/", "/i/00", 1): "that is not an invite link",
		url[:len(url)-1] + "_#" + fragment:                   "that is not an invite link",
		b.http + "/i/ABC123":                                 "short codes of other brokers",
	} {
		if _, talk, code := newMachine(t, "").run("join", link); code == ui.ExitOK || !strings.Contains(talk, want) || !strings.Contains(talk, "hint: ") {
			t.Errorf("%s exits with %d: %s", link, code, talk)
		}
	}
	for code, want := range map[wire.Code]string{
		wire.ClaimRevoked: "taken back", wire.ClaimExpired: "is over", wire.ClaimExhausted: "used up", wire.CodeNotFound: "does not know",
		"rate_limited": "too many",
	} {
		b.preview = func(*wire.InvitePreview) (int, any) { return http.StatusGone, wire.NewHTTPError(code, "x") }
		if _, talk, exit := newMachine(t, "").run("join", answer.ShortLink); exit != ui.ExitFailed || !strings.Contains(talk, want) {
			t.Errorf("%s exits with %d: %s", code, exit, talk)
		}
	}
}

func TestAnInviteWhoseTokenExistsIsMadeForASecondLater(t *testing.T) {
	t.Parallel()
	b := newLinkBroker(t)
	ana, first := invited(t, b)
	b.mu.Lock()
	b.taken = 3
	b.mu.Unlock()
	answer := must[inviteAnswer](ana, "invite")
	asked := b.expires[1:]
	if len(asked) != 4 || asked[3] != asked[0]+3 || answer.ExpiresAt.Unix() != asked[3] || answer.Link == first.Link {
		t.Errorf("asked for %v, answered %v", asked, answer.ExpiresAt)
	}
	b.mu.Lock()
	b.taken = 1000
	b.mu.Unlock()
	if _, talk, code := ana.run("invite"); code != ui.ExitFailed || talk == "" || len(b.expires) != 5+inviteTries {
		t.Errorf("exits with %d after %d requests: %s", code, len(b.expires)-5, talk)
	}
}

func TestWhereThereIsNoShortLinkTheLongOneStands(t *testing.T) {
	t.Parallel()
	b := newLinkBroker(t)
	b.forgets = true
	ana, answer := invited(t, b)
	if answer.ShortLink != "" || answer.Link == "" {
		t.Errorf("%+v", answer)
	}
	if out, talk, code := ana.run("invite", "--short"); code != ui.ExitFailed || out != "" || !strings.Contains(talk, "without --short") {
		t.Errorf("exits with %d: %s %s", code, out, talk)
	}
	invite := &wire.Invite{MeshID: testMesh, OwnerPubkey: strings.Repeat("a", 64)}
	if _, ok := shortLink("wss://mesh.example/below/ws", invite); ok {
		t.Error("a broker below a path has a short link that does not say so")
	}
	if _, ok := shortLink("wss://mesh.example/ws", invite); !ok {
		t.Error("an ordinary broker has none")
	}
}

func TestInPipesAnInviteIsOneLinkOnOneLine(t *testing.T) {
	t.Parallel()
	b := newLinkBroker(t)
	ana, _ := invited(t, b)
	for flag, prefix := range map[string]string{"": "ic://join/", "--short": b.http + "/i/"} {
		out, talk, code := ana.run(append([]string{"invite"}, strings.Fields(flag)...)...)
		if code != ui.ExitOK || !strings.HasPrefix(out, prefix) || strings.Count(out, "\n") != 1 || strings.Contains(talk, "://") {
			t.Errorf("invite %s: %d %q, and says %q", flag, code, out, talk)
		}
	}
}
