package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/infra/redistest"
)

// TestS1_NothingThatCrossesTheBrokerOrRestsInRedisCanBeRead plants a text in a
// direct, a group and a broadcast message, and in all that a mesh shares, and looks for it, for the mesh's
// root key, for every secret key and for the invite in all that went over the
// wire and in all that Redis ever wrote down.
func TestS1_NothingThatCrossesTheBrokerOrRestsInRedisCanBeRead(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t, "appendfsync always")
	edge := startEdge(t, redis)
	wire := startTap(t, edge.Addr)

	alice, bob := newUser(t, wire.wsURL()), newUser(t, wire.wsURL())
	alice.run("create", "demo", "--display-name", "alice")
	link, _ := alice.json("invite")["link"].(string)
	bob.run("join", link, "--name", "bob")
	ears := bob.listen("--group", "ops")

	secrets := map[string][]byte{"invite token": []byte(strings.TrimPrefix(link, "ic://join/"))}
	for i, target := range []string{"bob", "@ops", "*"} {
		text := "canary-" + rand.Text()
		secrets["text to "+target] = []byte(text)
		alice.run("send", target, text)
		if got := ears.text(text); got["verified"] != true {
			t.Errorf("message %d arrived unverified: %v", i, got)
		}
	}
	plantShared(t, secrets, alice, bob)
	collectKeys(t, secrets, alice, bob)

	for name, seen := range map[string][]byte{"the wire": wire.seen(), "Redis": appendOnlyFile(t, redis)} {
		if len(seen) < 1000 {
			t.Fatalf("%s: only %d bytes seen; the test sees nothing", name, len(seen))
		}
		for what, secret := range secrets {
			if shows(seen, secret) {
				t.Errorf("%s shows the %s", name, what)
			}
		}
	}
}

// plantShared has alice put a text of its own into everything that a mesh
// shares, by command and by tool, and bob read it.
func plantShared(t *testing.T, secrets map[string][]byte, alice, bob *user) {
	t.Helper()
	plant := func(what string) string {
		text := "canary-" + rand.Text()
		secrets[what] = []byte(text)
		return text
	}
	read := func(what string, args ...string) {
		t.Helper()
		if out := bob.run(args...); !strings.Contains(out, string(secrets[what])) {
			t.Errorf("bob does not find the %s in %s", what, out)
		}
	}
	alice.run("state", "set", "key", plant("value of the state"))
	read("value of the state", "state", "get", "key")
	alice.run("remember", plant("memory"), "--tag", plant("tag of a memory"))
	read("memory", "recall", string(secrets["tag of a memory"]))
	alice.run("context", "share", plant("context"), "--file", plant("file of a context"), "--finding", plant("finding"))
	read("context", "context", "get", "alice")
	read("finding", "context", "get", "alice", "--json")
	alice.run("task", "create", plant("title of a task"), "--tag", plant("tag of a task"))
	tasks, _ := alice.json("task", "list")["tasks"].([]any)
	id, _ := tasks[0].(map[string]any)["id"].(string)
	alice.run("task", "complete", id, plant("result of a task"))
	read("title of a task", "task", "list")
	read("result of a task", "task", "list")
	file := filepath.Join(t.TempDir(), "probe.md")
	if err := os.WriteFile(file, []byte(plant("skill")), 0o600); err != nil {
		t.Fatal(err)
	}
	alice.run("skill", "share", file, "--description", plant("description of a skill"))
	read("skill", "skill", "get", "probe")

	agent := alice.agent("--name", "Ada")
	agent.call("vault_set", map[string]any{"key": "KEY", "value": plant("secret of the vault")})
	if got := agent.call("vault_get", map[string]any{"key": "KEY"}); got["value"] != string(secrets["secret of the vault"]) {
		t.Errorf("the vault has %v", got)
	}
	agent.call("set_state", map[string]any{"key": "key", "value": map[string]any{"a": plant("value that a tool set")}})
	read("value that a tool set", "state", "get", "key")
	agent.leave()
}

// TestTheSearchForSecretsFindsThem is the control of the test above: what is
// sent in the clear, as clients without group keys do, must be found.
func TestTheSearchForSecretsFindsThem(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t, "appendfsync always")
	edge := startEdge(t, redis)
	wire := startTap(t, edge.Addr)
	alice, _ := pair(t, wire.wsURL())
	link, _ := alice.json("invite", "--no-key")["link"].(string)
	old := refJoin(t, link, "old")
	c, _ := old.hello(t, wire.wsURL(), "s1", nil)
	clear := "clear-" + rand.Text()
	c.send(map[string]any{
		"type": "send", "id": "1", "targetSpec": "*", "priority": "now",
		"nonce": base64.StdEncoding.EncodeToString(make([]byte, 24)), "ciphertext": base64.StdEncoding.EncodeToString([]byte(clear)),
	})
	c.awaitType("ack")
	shared := "clear-" + rand.Text()
	alice.run("remember", shared, "--clear")
	for name, seen := range map[string][]byte{"the wire": wire.seen(), "Redis": appendOnlyFile(t, redis)} {
		if !shows(seen, []byte(clear)) {
			t.Errorf("%s: the search did not find a text sent in the clear", name)
		}
		if !shows(seen, []byte(shared)) {
			t.Errorf("%s: the search did not find a memory in the clear", name)
		}
	}
}

// shows reports whether seen holds secret as it is, in hex, or inside standard
// or URL-safe base64 at any alignment.
func shows(seen, secret []byte) bool {
	if bytes.Contains(seen, secret) || bytes.Contains(bytes.ToLower(seen), []byte(hex.EncodeToString(secret))) {
		return true
	}
	for pad := range 3 {
		padded := append(make([]byte, pad), secret...)
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			whole := enc.EncodeToString(padded)
			// The outer characters also encode neighbouring bytes.
			inner := whole[(pad*8+5)/6 : len(padded)*8/6]
			if bytes.Contains(seen, []byte(inner)) {
				return true
			}
		}
	}
	return false
}

// collectKeys adds every secret that the users' files hold.
func collectKeys(tb testing.TB, secrets map[string][]byte, users ...*user) {
	tb.Helper()
	found := 0
	for _, u := range users {
		for _, entry := range meshEntries(tb, u) {
			for _, field := range []string{"secretKey", "ownerSecretKey", "rootKey"} {
				text, _ := entry[field].(string)
				raw, err := hex.DecodeString(text)
				if field == "rootKey" {
					raw, err = base64.RawURLEncoding.DecodeString(text)
				}
				if err != nil || len(raw) < 32 {
					continue
				}
				secrets[field+" of "+u.home] = raw[:32] // of a secret key, the seed
				found++
			}
		}
	}
	if found < 5 {
		tb.Fatalf("found only %d secrets in the configuration files", found)
	}
}

// appendOnlyFile is all that the server ever wrote down.
func appendOnlyFile(tb testing.TB, s *redistest.Server) []byte {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(s.Dir(), "appendonlydir", "*"))
	if err != nil {
		tb.Fatal(err)
	}
	var out []byte
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, b...)
	}
	return out
}
