package command

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/identity"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// The HTTP client keeps connections for the next request.
	goleak.VerifyTestMain(m, goleak.Cleanup(func(int) { httpClient.CloseIdleConnections() }))
}

const (
	testMesh   = "MESH0123456789abcdefABCDEFxyzXYZ"
	testMember = "MEMALICE0123456789abcdefABCDEFxy"
)

// machine is one identity directory, and a program that runs there.
type machine struct {
	t   *testing.T
	dir string
	url string
}

func newMachine(t *testing.T, url string) *machine {
	return &machine{t: t, dir: t.TempDir(), url: url}
}

// run returns what the program wrote, and its exit code.
func (m *machine) run(args ...string) (out, talk string, code int) {
	m.t.Helper()
	return m.runWith("", args...)
}

func (m *machine) runWith(stdin string, args ...string) (out, talk string, code int) {
	m.t.Helper()
	var stdout, stderr bytes.Buffer
	env := map[string]string{identity.EnvConfigDir: m.dir, EnvBrokerURL: m.url, "USER": "ana"}
	code = Run(m.t.Context(), Env{
		Args: args, Stdin: strings.NewReader(stdin), Stdout: &stdout, Stderr: &stderr,
		Getenv: func(name string) string { return env[name] }, Dir: "/somewhere",
	})
	return stdout.String(), stderr.String(), code
}

// must runs a command that has to go well, and decodes its JSON.
func must[T any](m *machine, args ...string) T {
	m.t.Helper()
	out, talk, code := m.run(append(args, "--json")...)
	if code != ui.ExitOK {
		m.t.Fatalf("%v exits with %d: %s", args, code, talk)
	}
	var v T
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		m.t.Fatalf("%v answers %q: %v", args, out, err)
	}
	return v
}

func (m *machine) config() *identity.Config {
	m.t.Helper()
	s, err := identity.Open(func(name string) string { return map[string]string{identity.EnvConfigDir: m.dir}[name] })
	if err != nil {
		m.t.Fatal(err)
	}
	c, err := s.Load()
	if err != nil {
		m.t.Fatal(err)
	}
	return c
}

// broker is the HTTP half of a broker, as far as the program speaks to it.
type broker struct {
	url  string
	join func(*wire.JoinRequest) (int, wire.JoinResponse)

	mu    sync.Mutex
	heard []heard
}

// heard is a request as it came in.
type heard struct {
	path, body string
	signer     string // whose signature it carries, if it does
}

func newBroker(t *testing.T) *broker {
	t.Helper()
	b := &broker{join: func(*wire.JoinRequest) (int, wire.JoinResponse) {
		return http.StatusOK, wire.JoinResponse{OK: true, MemberID: testMember}
	}}
	s := httptest.NewServer(http.HandlerFunc(b.serve))
	t.Cleanup(s.Close)
	b.url = "ws" + strings.TrimPrefix(s.URL, "http") + wire.Path
	return b
}

func (b *broker) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h := heard{path: r.Method + " " + r.URL.Path, body: string(body)}
	if s, err := wire.VerifyRequest(r, body, time.Now()); err == nil {
		h.signer = s.Key
	}
	b.mu.Lock()
	b.heard = append(b.heard, h)
	b.mu.Unlock()
	status, answer := http.StatusNotFound, any(wire.NewHTTPError(wire.CodeNotFound, "no such thing"))
	switch r.URL.Path {
	case "/v1/meshes":
		status, answer = http.StatusCreated, wire.CreateMeshResponse{
			MeshID: testMesh, Slug: "acme", Name: "Acme", MemberID: testMember,
		}
	case "/v1/meshes/" + testMesh + "/invites":
		status, answer = http.StatusCreated, wire.CreateInviteResponse{InviteID: "INVITE"}
	case "/join":
		var in wire.JoinRequest
		_ = json.Unmarshal(body, &in)
		status, answer = b.join(&in)
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer)
}

// last returns the last request.
func (b *broker) last(t *testing.T) heard {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.heard) == 0 {
		t.Fatal("the broker heard nothing")
	}
	return b.heard[len(b.heard)-1]
}

// TestS1_NoSecretReachesTheBroker creates a mesh, invites and joins, and looks
// for every secret, in every request.
func TestS1_NoSecretReachesTheBroker(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	ana, bob := newMachine(t, b.url), newMachine(t, b.url)
	must[membershipAnswer](ana, "create", "Acme")
	invite := must[inviteAnswer](ana, "invite")
	must[membershipAnswer](bob, "join", invite.Link)
	secrets := map[string]string{"the link": strings.TrimPrefix(invite.Link, "ic://join/")}
	for _, m := range []identity.Mesh{ana.config().Meshes[0], bob.config().Meshes[0]} {
		secrets["a root key"] = m.RootKey
		secrets["the member secret of "+m.PublicKey] = m.SecretKey[:64]
		if m.OwnerSecretKey != "" {
			secrets["the owner secret"] = m.OwnerSecretKey[:64]
		}
	}
	for _, h := range b.heard {
		for what, secret := range secrets {
			if secret == "" || strings.Contains(h.body, secret) {
				t.Errorf("%s is in %s %s", what, h.path, h.body)
			}
		}
	}
	if len(b.heard) != 4 || len(secrets) != 5 {
		t.Errorf("%d requests, %d secrets looked for", len(b.heard), len(secrets))
	}
}

func TestCreateIsSignedByTheOwnerKeyWhichIsNotTheMembers(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	ana := newMachine(t, b.url)
	made := must[membershipAnswer](ana, "create", "Acme", "--display-name", "Ana")
	m := ana.config().Meshes[0]
	want := membershipAnswer{MeshID: testMesh, Slug: "acme", MemberID: testMember, Pubkey: m.PublicKey, BrokerURL: b.url}
	if made != want {
		t.Errorf("answers %+v", made)
	}
	h := b.last(t)
	if h.signer != m.OwnerPublicKey || m.OwnerPublicKey == m.PublicKey || !strings.Contains(h.body, `"display_name":"Ana"`) {
		t.Errorf("signed by %s: %s", h.signer, h.body)
	}
	if root, err := m.Root(); err != nil || root == nil {
		t.Errorf("root key %v, %v", root, err)
	}
}

func TestAnInviteIsAVerifiableLinkKnownToTheBrokerByItsHash(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	ana := newMachine(t, b.url)
	must[membershipAnswer](ana, "create", "Acme")
	answer := must[inviteAnswer](ana, "invite", "--role", "admin", "--uses", "3", "--expires", "2d")
	token := strings.TrimPrefix(answer.Link, "ic://join/")
	invite, err := wire.ParseInviteToken(token)
	if err != nil {
		t.Fatal(err)
	}
	m := ana.config().Meshes[0]
	if err := invite.Verify(time.Now()); err != nil || invite.OwnerPubkey != m.OwnerPublicKey || invite.MeshRootKey != m.RootKey {
		t.Errorf("%+v: %v", invite, err)
	}
	if left := time.Until(answer.ExpiresAt); left > 48*time.Hour || left < 47*time.Hour || invite.Role != "admin" {
		t.Errorf("good for %v as %s", left, invite.Role)
	}
	h := b.last(t)
	var in wire.CreateInviteRequest
	if err := json.Unmarshal([]byte(h.body), &in); err != nil || in.TokenHash != wire.TokenHash(token) || in.MaxUses != 3 {
		t.Errorf("told %s", h.body)
	}
	if h.signer != m.OwnerPublicKey {
		t.Errorf("signed by %q", h.signer)
	}
}

func TestALinkWithoutTheKeyCanBeFollowedByOneWithIt(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	ana, bob := newMachine(t, b.url), newMachine(t, b.url)
	must[membershipAnswer](ana, "create", "Acme")
	bare, keyed := must[inviteAnswer](ana, "invite", "--no-key"), must[inviteAnswer](ana, "invite")
	must[membershipAnswer](bob, "join", bare.Link)
	first := bob.config().Meshes[0]
	if first.RootKey != "" {
		t.Error("a decoy was stored as root key")
	}
	requests := len(b.heard)
	must[membershipAnswer](bob, "join", keyed.Link)
	second := bob.config().Meshes[0]
	if second.RootKey != ana.config().Meshes[0].RootKey || second.SecretKey != first.SecretKey {
		t.Errorf("became %v", second)
	}
	if len(b.heard) != requests || len(bob.config().Meshes) != 1 {
		t.Error("enrolled again")
	}
}

func TestALinkOfAnotherOwnerDoesNotReachAKnownMesh(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	ana, mallory, bob := newMachine(t, b.url), newMachine(t, b.url), newMachine(t, b.url)
	must[membershipAnswer](ana, "create", "Acme")
	must[membershipAnswer](mallory, "create", "Acme") // this broker gives it the same id
	must[membershipAnswer](bob, "join", must[inviteAnswer](ana, "invite", "--no-key").Link)
	_, talk, code := bob.run("join", must[inviteAnswer](mallory, "invite").Link)
	if code != ui.ExitFailed || !strings.Contains(talk, "another owner") || bob.config().Meshes[0].RootKey != "" {
		t.Errorf("exits with %d: %s", code, talk)
	}
}

// TestAnOlderBrokerIsNotShownTheKeyUnasked: its answer to our proof is the one
// it gives where the link is missing.
func TestAnOlderBrokerIsNotShownTheKeyUnasked(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	b.join = func(in *wire.JoinRequest) (int, wire.JoinResponse) {
		if in.InviteToken == "" {
			return http.StatusBadRequest, wire.JoinResponse{Error: wire.JoinFieldsMissing}
		}
		return http.StatusOK, wire.JoinResponse{OK: true, MemberID: testMember}
	}
	ana, bob := newMachine(t, b.url), newMachine(t, b.url)
	must[membershipAnswer](ana, "create", "Acme")
	link := must[inviteAnswer](ana, "invite").Link
	_, talk, code := bob.run("join", link)
	if code != ui.ExitFailed || !strings.Contains(talk, "hint: ask for an invite made with --no-key") || strings.Contains(talk, link) {
		t.Errorf("exits with %d: %s", code, talk)
	}
	if strings.Contains(b.last(t).body, "invite_token") || len(bob.config().Meshes) != 0 {
		t.Error("the link was shown, or something stored")
	}
	must[membershipAnswer](bob, "join", "--legacy-broker", link)
	if !strings.Contains(b.last(t).body, "invite_token") {
		t.Error("the link was not shown though asked to")
	}
}

func TestWhyAnInviteIsRefusedIsSaidInWords(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	ana := newMachine(t, b.url)
	must[membershipAnswer](ana, "create", "Acme")
	link := must[inviteAnswer](ana, "invite").Link
	for code, words := range map[string]string{
		wire.JoinExpired: "the invite is over", wire.JoinExhausted: "used up", wire.JoinRevoked: "taken back",
		wire.JoinNotFound: "does not know this invite", wire.JoinBanned: "banned", "something_new": "something_new",
	} {
		b.join = func(*wire.JoinRequest) (int, wire.JoinResponse) {
			return http.StatusBadRequest, wire.JoinResponse{Error: code}
		}
		bob := newMachine(t, b.url)
		if _, talk, exit := bob.run("join", link); exit == ui.ExitOK || !strings.Contains(talk, words) {
			t.Errorf("%s exits with %d: %s", code, exit, talk)
		}
	}
}

func TestALinkIsReadFromStdinAndNotStored(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	ana, bob := newMachine(t, b.url), newMachine(t, b.url)
	must[membershipAnswer](ana, "create", "Acme")
	link := must[inviteAnswer](ana, "invite").Link
	if _, talk, code := bob.runWith(link+"\n", "join", "-"); code != ui.ExitOK || strings.Contains(talk, link) {
		t.Errorf("exits with %d: %s", code, talk)
	}
	for _, m := range []*machine{ana, bob} {
		raw, err := json.Marshal(m.config())
		if err != nil || strings.Contains(string(raw), strings.TrimPrefix(link, "ic://join/")) {
			t.Errorf("the link is in the config (%v)", err)
		}
	}
}

func TestASecondMeshOfTheSameSlugGetsAnotherHandle(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	ana := newMachine(t, b.url)
	must[membershipAnswer](ana, "create", "Acme")
	if made := must[membershipAnswer](ana, "create", "Acme"); made.Slug != "acme-2" {
		t.Errorf("became %+v", made)
	}
	listed := must[listAnswer](ana, "list")
	if len(listed.Meshes) != 2 || !listed.Meshes[0].Owner || !listed.Meshes[0].Keyed || listed.Meshes[0].Groups != wire.GroupSealed {
		t.Errorf("lists %+v", listed)
	}
}

func TestABrokerMayNameItsAddressButNotTakeEncryptionAway(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ used, given, want string }{
		{"ws://10.0.0.1:7900/ws", "wss://mesh.example/ws", "wss://mesh.example/ws"},
		{"wss://mesh.example/ws", "ws://mesh.example/ws", "wss://mesh.example/ws"},
		{"ws://a/ws", "", "ws://a/ws"},
		{"ws://a/ws", "http://b/ws", "ws://a/ws"},
		{"ws://a/ws", "wss://", "ws://a/ws"},
	} {
		if got := publicAddress(tt.used, tt.given); got != tt.want {
			t.Errorf("%s told %q becomes %s", tt.used, tt.given, got)
		}
	}
}

func TestDurationsMayBeInDays(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"7d": 7 * 24 * time.Hour, "12h": 12 * time.Hour, "90m": 90 * time.Minute,
		"": 0, "0d": 0, "-1h": 0, "1.5d": 0, "d": 0, "99999999d": 0,
	} {
		if got, err := parseLong(text); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
}

func TestAnInterruptIsAFailureAndNotAnUsageError(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	m := newMachine(t, b.url)
	must[membershipAnswer](m, "create", "Acme")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errInterrupted)
	var stderr bytes.Buffer
	env := map[string]string{identity.EnvConfigDir: m.dir}
	code := Run(ctx, Env{
		Args: []string{"peers"}, Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: &stderr,
		Getenv: func(n string) string { return env[n] }, Dir: "/x",
	})
	if code != ui.ExitFailed || !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("exits with %d: %s", code, &stderr)
	}
}
