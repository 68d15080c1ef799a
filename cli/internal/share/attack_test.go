package share

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"maps"
	"testing"

	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// Asked for one skill, the broker hands out another one, as sealed as the first.
func TestALyingBrokerCannotPassOneSkillOffAsAnother(t *testing.T) {
	t.Parallel()
	b, ana, ben := stage(t)
	for _, name := range []string{"deploy", "wipe"} {
		if err := ana.ShareSkill(t.Context(), Skill{Name: name, Description: "d", Instructions: "steps of " + name}); err != nil {
			t.Fatal(err)
		}
	}
	b.skills["deploy"] = b.skills["wipe"]
	s, _, err := ben.Skill(t.Context(), "deploy")
	if err != nil || s.Problem == "" || s.Instructions != "" || s.Name != "deploy" {
		t.Errorf("got %+v, %v", s, err)
	}
}

// Who asks the mesh to forget the one would have it forget the other.
func TestALyingBrokerCannotSwapTwoMemories(t *testing.T) {
	t.Parallel()
	b, ana, ben := stage(t)
	for _, text := range []string{"the old key", "the new key"} {
		if _, err := ana.Remember(t.Context(), text, nil); err != nil {
			t.Fatal(err)
		}
	}
	b.memories[0].ID, b.memories[1].ID = b.memories[1].ID, b.memories[0].ID
	all, err := ben.Memories(t.Context())
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	for _, m := range all {
		if m.Problem == "" || m.Content != "" || m.Author != "" {
			t.Errorf("shown: %+v", m)
		}
	}
}

// Who claims the one would work on the other; or what came of one would be
// taken for what came of another.
func TestALyingBrokerCannotSwapTwoTasksNorTheirResults(t *testing.T) {
	t.Parallel()
	b, ana, ben := stage(t)
	for _, title := range []string{"deploy", "wipe"} {
		id, err := ana.CreateTask(t.Context(), Task{Title: title})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ana.CompleteTask(t.Context(), id, title+" is done"); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := ben.Tasks(t.Context(), "", ""); err != nil || all[0].Title != "deploy" || all[0].Result != "deploy is done" {
		t.Fatal(all, err)
	}
	b.tasks[0].Title, b.tasks[1].Title = b.tasks[1].Title, b.tasks[0].Title
	b.tasks[0].Result, b.tasks[1].Result = b.tasks[1].Result, b.tasks[0].Result
	all, err := ben.Tasks(t.Context(), "", "")
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	for _, task := range all {
		if task.Problem == "" || task.Title != "" || task.ResultOrigin.Problem == "" || task.Result != "" {
			t.Errorf("shown: %+v", task)
		}
	}
}

// A broker of the reference makes every id itself. What is sealed to ours would
// be lost there, and nobody would know.
func TestABrokerThatGivesOtherIDsIsFoundOut(t *testing.T) {
	t.Parallel()
	_, ana, _ := stage(t)
	ana.Asker = renamer{ana.Asker}
	if _, err := ana.Remember(t.Context(), "x", nil); !errors.Is(err, ErrOtherID) {
		t.Errorf("memory: %v", err)
	}
	if _, err := ana.CreateTask(t.Context(), Task{Title: "x"}); !errors.Is(err, ErrOtherID) {
		t.Errorf("task: %v", err)
	}
	ana.Clear = true
	if _, err := ana.Remember(t.Context(), "x", nil); err != nil {
		t.Errorf("in clear: %v", err)
	}
}

// renamer is a broker that does not know of ids which peers make.
type renamer struct{ Asker }

func (b renamer) Ask(ctx context.Context, r wire.Request) (wire.Message, error) {
	switch asked := r.(type) {
	case *wire.Remember:
		known := *asked
		known.ID = ""
		r = &known
	case *wire.CreateTask:
		known := *asked
		known.ID = ""
		r = &known
	}
	return b.Asker.Ask(ctx, r)
}

func TestALyingBrokerCannotPlantNorSwapSecrets(t *testing.T) {
	t.Parallel()
	b, ana, ben := stage(t)
	set := func(m *Mesh, s Secret) {
		t.Helper()
		if err := m.SetSecret(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	set(ana, Secret{Key: "PROD", Type: wire.VaultEnv, Value: []byte("prod")})
	set(ana, Secret{Key: "TEST", Type: wire.VaultEnv, Value: []byte("test")})
	set(ana, Secret{Key: "pem", Type: wire.VaultFile, MountPath: "/run/pem", Value: []byte("pem")})
	honest := maps.Clone(b.vault)
	elsewhere := *ana
	elsewhere.ID = "another mesh"
	set(&elsewhere, Secret{Key: "OTHER", Type: wire.VaultEnv, Value: []byte("other")})

	prod, pem, path := honest["PROD"], honest["pem"], "/root/.ssh/authorized_keys"
	renamed := honest["TEST"]
	renamed.Key = "PROD"
	asEnv, moved := pem, pem
	asEnv.EntryType, moved.MountPath = wire.VaultEnv, &path
	redated := prod
	redated.Nonce = honest["TEST"].Nonce
	for what, lie := range map[string]struct {
		key   string
		entry wire.VaultEntry
		opens bool
	}{
		"as it was":             {"PROD", prod, true},
		"made by the broker":    {"PROD", anonymous(t, ana, "planted"), true},
		"of another key":        {"PROD", honest["TEST"], true},
		"of another, renamed":   {"PROD", renamed, true},
		"of another mesh":       {"OTHER", b.vault["OTHER"], true},
		"of another type":       {"pem", asEnv, true},
		"to be put elsewhere":   {"pem", moved, true},
		"under another nonce":   {"PROD", redated, false},
		"of another member":     {"PROD", anonymous(t, ben, "x"), false},
		"with a key that is no": {"PROD", wire.VaultEntry{Key: "PROD", Nonce: prod.Nonce, Ciphertext: prod.Ciphertext}, false},
	} {
		b.vault[lie.key] = lie.entry
		s, ok, err := ana.Secret(t.Context(), lie.key)
		if !ok || (err == nil) != lie.opens || s.Proven != (what == "as it was") || s.Proven != (s.At != nil) || s.Key != lie.key {
			t.Errorf("%s: %+v, %v", what, s, err)
		}
	}
}

// anonymous is an entry as existing clients make it, and as anybody can who
// knows the member's key.
func anonymous(t *testing.T, to *Mesh, value string) wire.VaultEntry {
	t.Helper()
	var key seal.Key
	rand.Read(key[:])
	sealed, err := seal.Anonymous(to.Member.Public().(ed25519.PublicKey), key[:])
	if err != nil {
		t.Fatal(err)
	}
	box := seal.Secret(&key, []byte(value))
	return wire.VaultEntry{Key: "PROD", Ciphertext: box.Ciphertext, Nonce: box.Nonce, SealedKey: sealed, EntryType: wire.VaultEnv}
}
