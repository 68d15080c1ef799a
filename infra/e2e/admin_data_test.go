package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/claudemesh/claudemesh/infra/redis"
	"github.com/claudemesh/claudemesh/infra/redistest"
	"github.com/claudemesh/claudemesh/queue"
)

// behind reaches the Redis of a running edge, past it.
func behind(t *testing.T, server *redistest.Server) *redis.Client {
	t.Helper()
	c, err := redis.Open(t.Context(), redis.Options{URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// bury makes dead letters of everything that waits: it writes the messages anew
// as if they were eight days old, and has them retired.
func bury(t *testing.T, server *redistest.Server, meshID string) {
	t.Helper()
	ctx, client := t.Context(), behind(t, server)
	raw := client.Raw()
	long := time.Now().Add(-8 * 24 * time.Hour).UnixMilli()
	for _, key := range raw.Keys(ctx, "inbox:*").Val() {
		entries := raw.XRange(ctx, key, "-", "+").Val()
		raw.Del(ctx, key)
		for _, e := range entries {
			e.Values["a"] = long
			var fields []any
			for _, name := range []string{"t", "a", "m", "p", "c", "b"} {
				fields = append(fields, name, e.Values[name])
			}
			if err := raw.XAdd(ctx, &goredis.XAddArgs{Stream: key, ID: e.ID, Values: fields}).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, key := range raw.Keys(ctx, "waits:*").Val() {
		for _, waiting := range raw.ZRange(ctx, key, 0, -1).Val() {
			raw.ZAdd(ctx, key, goredis.Z{Score: float64(long), Member: waiting})
		}
	}
	moved, err := queue.New(client, queue.Options{
		MembersKey: unused, BansKey: unused, SessionsKey: unused, GrantsKey: unused,
	}).Retire(ctx, client.Partition(meshID), 100)
	if err != nil || moved == 0 {
		t.Fatalf("%d retired, %v", moved, err)
	}
}

// unused stands for keys that retiring does not look at.
func unused(string) string { return "unused" }

func TestWhatWaitsIsCountedListedAndNeverShown(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	alice, bob := pair(t, startEdge(t, server).wsURL())
	mesh, _ := meshEntries(t, alice)[0]["meshId"].(string)
	if o := alice.try("queue"); o.code != 0 || o.stdout != "" || !strings.Contains(o.stderr, "nothing waits") {
		t.Errorf("%+v", o)
	}
	alice.run("send", "bob", "the first secret")
	alice.run("send", "bob", "the second secret", "--priority", "low")
	if got := alice.run("queue"); !strings.HasPrefix(got, "bob\t2\t") {
		t.Errorf("depths are %q", got)
	}
	if got := names(t, alice.json("queue", "show", "bob"), "messages", "lane"); got != "next low" {
		t.Errorf("waiting are %q", got)
	}
	if got := alice.run("queue", "show", "bob", "--priority", "low"); strings.Count(got, "\n") != 1 || strings.Contains(got, "secret") {
		t.Errorf("waiting are %q", got)
	}
	alice.refused(4, "no member is called", "queue", "show", "zed")
	alice.refused(1, "no dead letter begins with", "queue", "requeue", "d000")

	bury(t, server, mesh)
	dead := alice.json("queue", "dead")
	if got := names(t, dead, "deadLetters", "reason"); got != "expired expired" {
		t.Errorf("dead are %q: %v", got, dead)
	}
	if got := bob.inbox(); len(got) != 0 {
		t.Errorf("bob still gets %v", got)
	}
	first, _ := dig(t, dead, "deadLetters", 0, "messageId").(string)
	second, _ := dig(t, dead, "deadLetters", 1, "messageId").(string)
	alice.refused(1, "give more of the id", "queue", "requeue", "d")
	if got := fmt.Sprint(alice.json("queue", "requeue", first[:12])["messageIds"]); got != "["+first+"]" {
		t.Errorf("requeued %s", got)
	}
	if got := bob.inbox(); len(got) != 1 || !strings.HasSuffix(fmt.Sprint(got[0]["text"]), "secret") {
		t.Errorf("bob gets %v", got)
	}
	alice.refused(2, "nobody is here to be asked", "queue", "drop", second)
	if got := fmt.Sprint(alice.json("queue", "drop", "--all", "--yes")["messageIds"]); got != "["+second+"]" {
		t.Errorf("dropped %s", got)
	}
	alice.refused(1, "no such dead letter", "queue", "drop", second, "--yes")
	bob.refused(1, "only the owner and the admins", "queue", "dead")
}

func TestAnAuditLogThatWasTamperedWithIsFoundOut(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	alice, _ := pair(t, startEdge(t, server).wsURL())
	log := alice.json("audit")
	if got := names(t, log, "entries", "eventType"); got != "mesh_created invite_created member_joined" || log["total"] != 3.0 {
		t.Errorf("the log is %q, %v", got, log)
	}
	if got := alice.run("audit", "--limit", "1"); strings.Count(got, "\n") != 1 || !strings.Contains(got, "\tbob\tmember joined\t") {
		t.Errorf("the last entry is %q", got)
	}
	verdict := alice.json("audit", "verify")
	if verdict["valid"] != true || verdict["entries"] != 3.0 || verdict["complete"] != true || verdict["seenAt"] != nil {
		t.Errorf("%v", verdict)
	}
	alice.run("mesh", "settings", "--name", "x")
	if got := alice.run("audit", "verify"); !strings.Contains(got, "4 entries hold") || !strings.Contains(got, "unchanged") {
		t.Errorf("grown: %q", got)
	}

	ctx, raw := t.Context(), behind(t, server).Raw()
	key := raw.Keys(ctx, "audit:*").Val()
	if len(key) != 1 {
		t.Fatalf("logs: %v", key)
	}
	entries := raw.XRange(ctx, key[0], "-", "+").Val()
	raw.XDel(ctx, key[0], entries[1].ID)
	o := alice.try("audit", "verify", "--json")
	if o.code != 1 || !strings.Contains(o.stdout, `"valid":false`) || !strings.Contains(o.stdout, entries[2].ID) || !strings.Contains(o.stderr, "was altered") {
		t.Errorf("one taken out: %+v", o)
	}
	// All that was sealed is gone with it: the log begins anew, and holds.
	raw.Del(ctx, append(raw.Keys(ctx, "auditseals:*").Val(), raw.Keys(ctx, "audit*").Val()...)...)
	alice.run("mesh", "settings", "--name", "y")
	alice.refused(1, "not the one that you have verified before", "audit", "verify")
	if got := alice.json("audit", "verify", "--anew"); got["valid"] != true {
		t.Errorf("%v", got)
	}
	if got := alice.json("audit", "verify"); got["seenAt"] == nil {
		t.Errorf("not remembered: %v", got)
	}
}

func TestAMeshThatABrokerHasLostIsRestored(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	alice, bob := pair(t, startEdge(t, server, "EDGE_OPERATOR_TOKEN="+operatorToken).wsURL())
	alice.run("block", "bob")
	file := filepath.Join(alice.cwd, "registry.jsonl")
	if got := alice.json("mesh", "backup", file); got["path"] != file || got["records"] == 0.0 {
		t.Errorf("%v", got)
	}
	alice.refused(1, "is there already", "mesh", "backup", file)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range []*user{alice, bob} {
		m := meshEntries(t, u)[0]
		for _, secret := range []string{"secretKey", "ownerSecretKey", "rootKey"} {
			if text, _ := m[secret].(string); text != "" && strings.Contains(string(data), text[:40]) {
				t.Errorf("%s is in the backup", secret)
			}
		}
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}

	raw := behind(t, server).Raw()
	raw.FlushAll(t.Context())
	eventually(t, func() error {
		if o := bob.try("member", "list"); o.code != 3 {
			return fmt.Errorf("with nothing left: exit %d %s", o.code, o.stderr)
		}
		return nil
	})
	alice.refused(2, "whoever runs the broker", "mesh", "restore", file)
	t.Run("with the token", func(t *testing.T) {
		restore := alice.command("mesh", "restore", file, "--json")
		restore.Env = append(restore.Env, "CLAUDEMESH_OPERATOR_TOKEN="+operatorToken)
		if out, err := restore.Output(); err != nil || !strings.Contains(string(out), `"records":`) {
			t.Fatalf("%s, %v", out, err)
		}
	})
	if got := names(t, bob.json("member", "list"), "members", "displayName"); got != "alice bob" {
		t.Errorf("members are %q", got)
	}
	bob.refused(1, "does not take messages from you", "send", "alice", "hello")
	for content, want := range map[string]string{"": "is empty", "{}\n": "format must be", "hello\n": "no backup of a mesh"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		alice.refused(1, want, "mesh", "restore", file)
	}
}
