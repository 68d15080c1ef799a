package identity

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// newStore returns a store in a directory that does not exist yet.
func newStore(t testing.TB) *Store {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "made", "here")
	s, err := Open(func(name string) string { return map[string]string{EnvConfigDir: dir}[name] })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t testing.TB, s *Store, text string) {
	t.Helper()
	if err := s.Make(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.configPath(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

// newMesh returns a membership with keys of its own.
func newMesh(t testing.TB, slug string) Mesh {
	t.Helper()
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	m := Mesh{MeshID: strings.Repeat("M", 31) + slug[:1], MemberID: "id", Slug: slug, Name: slug, BrokerURL: "ws://x/ws"}
	m.PublicKey, m.SecretKey = EncodeKey(key)
	return m
}

func TestTheConfiguredDirectoryIsMadeWhenItIsMissing(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	if err := s.Make(); err != nil {
		t.Fatal(err)
	}
	if got := mode(t, s.Dir()); got != 0o700 {
		t.Errorf("directory has mode %o", got)
	}
}

func TestFieldsOfOtherProgramsSurviveARewrite(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	put(t, s, `{"version":1,"meshes":[{"meshId":"a","slug":"acme","note":{"deep":[1,2]},"big":12345678901234567890}],
		"displayName":"Ana","accountId":"user_1","groups":[{"name":"backend"}]}`)
	if err := s.Update(func(c *Config) error { c.Meshes[0].Name = "new"; return nil }); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(s.configPath())
	if err != nil {
		t.Fatal(err)
	}
	var compact map[string]any
	if err := json.Unmarshal(raw, &compact); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	for _, want := range []string{`"accountId": "user_1"`, `12345678901234567890`, `"deep"`, `"backend"`, `"name": "new"`} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("%s is missing from %s", want, raw)
		}
	}
	if got := mode(t, s.configPath()); got != 0o600 {
		t.Errorf("config has mode %o", got)
	}
}

func TestAConfigWithoutAListOfMeshesHasNone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{}`, `{"meshes":null}`, `{"meshes":{"a":1}}`, `{"meshes":"x"}`} {
		s := newStore(t)
		put(t, s, text)
		c, err := s.Load()
		if err != nil || len(c.Meshes) != 0 {
			t.Errorf("%s: %v, %v", text, c, err)
		}
	}
}

func TestAConfigThatIsNoJSONObjectIsAnErrorAndIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{``, `{"meshes":[`, `[]`, `3`, `null`, `"x"`} {
		s := newStore(t)
		put(t, s, text)
		if _, err := s.Load(); !errors.Is(err, ErrCorrupt) {
			t.Errorf("load %s: %v", text, err)
		}
		if err := s.Update(func(*Config) error { return nil }); !errors.Is(err, ErrCorrupt) {
			t.Errorf("update %s: %v", text, err)
		}
		if raw, _ := os.ReadFile(s.configPath()); string(raw) != text {
			t.Errorf("%s was overwritten with %s", text, raw)
		}
	}
}

func TestKeyFilesThatOthersCanReadAreRefused(t *testing.T) {
	t.Parallel()
	for _, m := range []fs.FileMode{0o640, 0o604, 0o620, 0o644} {
		s := newStore(t)
		put(t, s, `{}`)
		if err := os.Chmod(s.configPath(), m); err != nil {
			t.Fatal(err)
		}
		var loose *LooseModeError
		if _, err := s.Load(); !errors.As(err, &loose) || loose.Mode != m || loose.Path != s.configPath() {
			t.Errorf("mode %o: %v", m, err)
		}
	}
}

func TestChangesAtOnceDoNotLoseEachOther(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var wg sync.WaitGroup
	for range 20 {
		m := newMesh(t, "acme")
		wg.Go(func() {
			if err := s.Update(func(c *Config) error { c.Add(m); return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	c, err := s.Load()
	if err != nil || len(c.Meshes) != 20 {
		t.Fatalf("%d meshes, %v", len(c.Meshes), err)
	}
	if c.Meshes[0].Slug != "acme" || c.Meshes[1].Slug != "acme-2" || c.Meshes[19].Slug != "acme-20" {
		t.Error("meshes of one slug are not told apart")
	}
}

func TestAFailedChangeWritesNothing(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	boom := errors.New("boom")
	if err := s.Update(func(*Config) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(s.configPath()); !missing(err) {
		t.Error("a config was written")
	}
}

func TestAKeyPairWhoseHalvesDifferIsRefused(t *testing.T) {
	t.Parallel()
	m, other := newMesh(t, "acme"), newMesh(t, "else")
	if _, err := m.MemberKey(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Mesh){
		"other public":      func(m *Mesh) { m.PublicKey = other.PublicKey },
		"other second half": func(m *Mesh) { m.SecretKey = m.SecretKey[:64] + other.SecretKey[64:] },
		"short":             func(m *Mesh) { m.SecretKey = m.SecretKey[:126] },
		"not hex":           func(m *Mesh) { m.SecretKey = strings.Repeat("z", 128) },
		"empty":             func(m *Mesh) { m.SecretKey = "" },
	} {
		bad := m
		change(&bad)
		if _, err := bad.MemberKey(); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheMeshIsChosenBySlugIDOrNameOrBecauseItIsTheOnlyOne(t *testing.T) {
	t.Parallel()
	var c Config
	if _, err := c.Choose(""); !errors.Is(err, ErrNoMesh) {
		t.Errorf("none: %v", err)
	}
	a := *c.Add(newMesh(t, "acme"))
	if got, err := c.Choose(""); err != nil || got.Slug != "acme" {
		t.Errorf("the only one: %v, %v", got, err)
	}
	c.Add(newMesh(t, "beta"))
	if _, err := c.Choose(""); !errors.Is(err, ErrManyMeshes) {
		t.Errorf("several: %v", err)
	}
	for _, choice := range []string{"acme", a.MeshID} {
		if got, err := c.Choose(choice); err != nil || got.Slug != "acme" {
			t.Errorf("%s: %v, %v", choice, got, err)
		}
	}
	if _, err := c.Choose("gamma"); !errors.Is(err, ErrNoMesh) {
		t.Errorf("unknown: %v", err)
	}
}

func TestADecoyIsNotKeptAsRootKey(t *testing.T) {
	t.Parallel()
	m := newMesh(t, "acme")
	m.SetRoot(seal.Decoy())
	if root, err := m.Root(); root != nil || err != nil {
		t.Errorf("a decoy became %v, %v", root, err)
	}
	m.SetRoot(seal.Key{1})
	if root, err := m.Root(); err != nil || *root != (seal.Key{1}) {
		t.Errorf("a key became %v, %v", root, err)
	}
}

func TestASessionIsHeldByOneProcessAndKeepsItsKey(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	id := SessionID("/home/ana/shop", "")
	first, err := s.OpenSession("acme", id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.OpenSession("acme", id); !errors.Is(err, ErrHeld) {
		t.Errorf("second holder: %v", err)
	}
	if got := mode(t, filepath.Join(s.Dir(), "sessions", "acme", id+".json")); got != 0o600 {
		t.Errorf("key file has mode %o", got)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := s.OpenSession("acme", id)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if !second.Key.Equal(first.Key) {
		t.Error("the session came back with another key")
	}
}

func TestACursorBelongsToItsMesh(t *testing.T) {
	t.Parallel()
	ses, err := newStore(t).OpenSession("acme", SessionID("/x", ""))
	if err != nil {
		t.Fatal(err)
	}
	defer ses.Close()
	if got := ses.Cursor("mesh"); got != "" {
		t.Errorf("a new session has cursor %q", got)
	}
	if err := ses.SaveCursor("mesh", "EPOCH000/7/id"); err != nil {
		t.Fatal(err)
	}
	if got := ses.Cursor("mesh"); got != "EPOCH000/7/id" {
		t.Errorf("read back %q", got)
	}
	if got := ses.Cursor("other"); got != "" {
		t.Errorf("another mesh reads %q", got)
	}
}

func TestSessionsOfOneDirectoryAreToldApartByName(t *testing.T) {
	t.Parallel()
	plain := SessionID("/home/ana", "")
	if plain != SessionID("/home/ana", "") || plain == SessionID("/home/ana", "b") || plain == SessionID("/home", "ana") {
		t.Error("session ids clash or change")
	}
	if !uuidShape.MatchString(plain) || plain[14] != '8' {
		t.Errorf("%s is not a UUID of version 8", plain)
	}
	if id := "11111111-2222-4333-8444-555555555555"; SessionID("/x", id) != id {
		t.Error("a UUID does not stand for itself")
	}
}

func TestNamesThatWouldLeaveTheDirectoryAreRefused(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	id := SessionID("/x", "")
	for _, slug := range []string{"", ".", "..", "a/b", "../a", "A", "a\x00"} {
		if _, err := s.OpenSession(slug, id); !errors.Is(err, ErrBadName) {
			t.Errorf("slug %q: %v", slug, err)
		}
	}
	if _, err := s.OpenSession("acme", "../../x"); !errors.Is(err, ErrBadName) {
		t.Errorf("session id: %v", err)
	}
}

func TestASocketInADeepDirectoryGoesWhereItsPathFits(t *testing.T) {
	t.Parallel()
	id := SessionID("/x", "")
	shallow := &Store{dir: "/tmp/a"}
	if path, err := shallow.SocketPath("acme", id); err != nil || filepath.Dir(path) != "/tmp/a" {
		t.Errorf("%s, %v", path, err)
	}
	deep := &Store{dir: "/" + strings.Repeat("deep/", 30)}
	path, err := deep.SocketPath("acme", id)
	if err != nil || len(path) > maxSocketPath {
		t.Fatalf("%s, %v", path, err)
	}
	defer os.RemoveAll(filepath.Dir(path))
	if got := mode(t, filepath.Dir(path)); got != 0o700 {
		t.Errorf("its directory has mode %o", got)
	}
	if err := os.Chmod(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	var loose *LooseModeError
	if _, err := deep.SocketPath("acme", id); !errors.As(err, &loose) {
		t.Errorf("a directory that others may enter: %v", err)
	}
}

func TestGroupPoliciesAreTheOwnersAndNeverOlder(t *testing.T) {
	t.Parallel()
	owner, _ := NewKey()
	mallory, _ := NewKey()
	m := newMesh(t, "acme")
	m.OwnerPublicKey = wire.PublicKey(owner)
	policy := func(mode wire.GroupMode, counter int64) *wire.GroupPolicy {
		p := &wire.GroupPolicy{Mode: mode, Counter: counter, SignedAt: 1}
		p.Sign(m.MeshID, owner)
		return p
	}
	forged := policy(wire.GroupPlain, 9)
	forged.Sign(m.MeshID, mallory)
	elsewhere := policy(wire.GroupPlain, 9)
	elsewhere.Sign("another mesh", owner)
	if m.GroupMode() != wire.GroupSealed {
		t.Error("groups are not sealed to begin with")
	}
	steps := []struct {
		what   string
		policy *wire.GroupPolicy
		err    error
		mode   wire.GroupMode
	}{
		{"signed by somebody else", forged, ErrPolicyForged, wire.GroupSealed},
		{"of another mesh", elsewhere, ErrPolicyForged, wire.GroupSealed},
		{"the first", policy(wire.GroupPlain, 2), nil, wire.GroupPlain},
		{"the same again", policy(wire.GroupPlain, 2), nil, wire.GroupPlain},
		{"the same counter, another mode", policy(wire.GroupSealed, 2), ErrPolicyOld, wire.GroupPlain},
		{"a newer one", policy(wire.GroupSealed, 3), nil, wire.GroupSealed},
		{"the first once more", policy(wire.GroupPlain, 2), ErrPolicyOld, wire.GroupSealed},
	}
	for _, step := range steps {
		if _, err := m.Pin(step.policy); !errors.Is(err, step.err) {
			t.Errorf("%s: %v", step.what, err)
		}
		if m.GroupMode() != step.mode {
			t.Errorf("%s: groups are %s", step.what, m.GroupMode())
		}
	}
}

func FuzzConfig(f *testing.F) {
	f.Add(`{"version":1,"meshes":[{"meshId":"a","slug":"b","x":1}],"y":{}}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, text string) {
		var c Config
		if json.Unmarshal([]byte(text), &c) != nil {
			return
		}
		once, err := json.Marshal(c)
		if err != nil {
			t.Fatalf("read but not written: %v", err)
		}
		var again Config
		if err := json.Unmarshal(once, &again); err != nil {
			t.Fatalf("written but not read: %v in %s", err, once)
		}
		if len(again.Meshes) != len(c.Meshes) || len(again.others) != len(c.others) {
			t.Fatalf("lost something: %s became %s", text, once)
		}
	})
}
