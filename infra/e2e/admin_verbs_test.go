package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/infra/redistest"
)

// refused runs a command that must fail, with that exit code and those words,
// and say what to do next.
func (u *user) refused(code int, words string, args ...string) {
	u.tb.Helper()
	o := u.try(args...)
	if o.code != code || o.stdout != "" || !strings.Contains(o.stderr, words) || !strings.Contains(o.stderr, "hint: ") {
		u.tb.Errorf("claudemesh %s: exit %d, want %d and %q\n%s%s", strings.Join(args, " "), o.code, code, words, o.stdout, o.stderr)
	}
}

// trio is a pair and carol, who joins by a short link.
func trio(tb testing.TB, broker string) (alice, bob, carol *user) {
	tb.Helper()
	alice, bob = pair(tb, broker)
	carol = newUser(tb, broker)
	carol.run("join", strings.TrimSpace(alice.run("invite", "--short")), "--name", "carol")
	return alice, bob, carol
}

func names(tb testing.TB, answer map[string]any, list, field string) string {
	tb.Helper()
	var out []string
	entries, _ := answer[list].([]any)
	for _, e := range entries {
		out = append(out, fmt.Sprint(dig(tb, e, field)))
	}
	return strings.Join(out, " ")
}

func TestAShortLinkIsJoinedByOnceAndItsKeyOpensGroups(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "rdbcompression no")
	alice, bob := pair(t, startEdge(t, server).wsURL())
	invite := alice.json("invite", "--uses", "1", "--by", "alice")
	link, _ := invite["shortLink"].(string)
	carol := newUser(t, "")
	carol.run("join", link, "--name", "carol")
	heard := carol.listen()
	bob.run("send", "*", "to everybody")
	if got := heard.text("to everybody"); got["verified"] != true {
		t.Errorf("%v", got)
	}
	if o := carol.try("join", link); o.code != 0 || !strings.Contains(o.stderr, "already in demo") {
		t.Errorf("a second time: exit %d %s", o.code, o.stderr)
	}
	dave := newUser(t, "")
	dave.refused(1, "used up", "join", link)
	dave.refused(2, "behind #", "join", strings.Split(link, "#")[0])
	root, _ := meshEntries(t, alice)[0]["rootKey"].(string)
	_, fragment, _ := strings.Cut(link, "#")
	if err := behind(t, server).Raw().Save(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	stored, err := os.ReadFile(filepath.Join(server.Dir(), "dump.rdb"))
	if err != nil || !strings.Contains(string(stored), "carol") {
		t.Fatalf("the registry is not in the file: %v", err)
	}
	for _, secret := range []string{root, fragment, fragment[:20]} {
		if secret == "" || strings.Contains(string(stored), secret) {
			t.Errorf("%q is in the registry", secret)
		}
	}
}

func TestInvitesAreListedAndTakenBack(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t, startEdge(t, redistest.Start(t)).wsURL())
	if got := alice.run("invite", "list"); got != "" {
		t.Errorf("with one that is used up: %q", got)
	}
	made := alice.json("invite", "--uses", "3", "--role", "admin", "--by", "Alice")
	id, _ := made["inviteId"].(string)
	if got := alice.run("invite", "list"); !strings.HasPrefix(got, id+"\topen\tadmin\t0/3\t") || !strings.HasSuffix(got, "\tshort, long\tAlice\n") {
		t.Errorf("listed as %q", got)
	}
	alice.refused(1, "no invite begins with", "invite", "revoke", "nonsense")
	if got := alice.json("invite", "revoke", id[:8]); got["inviteId"] != id {
		t.Errorf("revoked %v", got)
	}
	for _, link := range []string{"link", "shortLink"} {
		text, _ := made[link].(string)
		newUser(t, "").refused(1, "taken back", "join", text)
	}
	if got := names(t, alice.json("invite", "list", "--all"), "invites", "state"); got != "used up taken back" && got != "taken back used up" {
		t.Errorf("states %q", got)
	}
	bob.refused(1, "only the owner and the admins", "invite", "list")
	bob.refused(1, "only the owner of demo", "invite")
}

// TestMembersAreShownChangedAndShutOut also where functions are programs of
// their own.
func TestMembersAreShownChangedAndShutOut(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	invite, admin := startFunction(t, "invite", redis), startFunction(t, "admin", redis)
	alice, bob, carol := trio(t, startEdge(t, redis, "EDGE_FUNCTIONS="+invite.httpURL()+","+admin.httpURL()).wsURL())
	heard := bob.listen("--name", "bob-api")
	if got := names(t, carol.json("member", "list"), "members", "displayName"); got != "alice bob carol" {
		t.Errorf("carol sees %q", got)
	}
	set := alice.json("member", "set", "bob-api", "--tag", "reviewer", "--group", "backend:lead", "--mode", "inbox", "--role", "admin")
	if set["role"] != "admin" || set["roleTag"] != "reviewer" || dig(t, set, "groups", 0, "name") != "backend" || set["messageMode"] != "inbox" {
		t.Errorf("became %v", set)
	}
	lines := strings.Split(carol.run("member", "list"), "\n")
	if f := strings.Split(lines[1], "\t"); len(f) != 9 || strings.Join(f[:5], " ") != "bob admin active 1 inbox" || f[7] != "reviewer" || f[8] != "@backend" {
		t.Errorf("carol sees %q", lines[1])
	}
	carol.refused(1, "members change themselves only", "member", "set", "bob", "--tag", "x")
	carol.refused(1, "only the owner changes roles", "member", "set", "carol", "--role", "admin")
	alice.run("mesh", "settings", "--self-editable", "groups")
	carol.refused(1, "admin-managed fields: displayName", "member", "set", "carol", "--name", "queen")
	alice.refused(4, "no member is called", "member", "ban", "mallory")

	alice.refused(2, "nobody is here to be asked", "member", "ban", "bob")
	if got := alice.json("member", "ban", "bob", "--yes"); got["state"] != "banned" || got["name"] != "bob" {
		t.Errorf("banned: %v", got)
	}
	<-heard.done
	if code := heard.cmd.ProcessState.ExitCode(); code != 3 {
		t.Errorf("the banned listener exits with %d: %s", code, heard.stderr.String())
	}
	for _, verb := range [][]string{{"peers"}, {"member", "list"}, {"send", "alice", "hi"}, {"block", "carol"}, {"queue"}, {"mesh", "settings"}} {
		bob.refused(3, "you are banned from this mesh", verb...)
	}
	if got := names(t, bob.json("mesh", "list"), "meshes", "state"); got != "banned" {
		t.Errorf("bob's meshes are %q", got)
	}
	alice.run("member", "unban", "bob")
	alice.refused(1, "is not shut out", "member", "unban", "bob")
	bob.run("peers")
	alice.run("member", "revoke", "carol", "--yes")
	carol.refused(3, "banned", "peers")
}

func TestAdminsModerateMembersAndNotEachOther(t *testing.T) {
	t.Parallel()
	alice, bob, carol := trio(t, startEdge(t, redistest.Start(t)).wsURL())
	alice.run("member", "set", "bob", "--role", "admin")
	bob.run("member", "set", "carol", "--tag", "x")
	bob.run("queue")
	bob.refused(1, "only the owner moderates admins", "member", "ban", "alice", "--yes")
	bob.refused(1, "only the owner closes everybody's connections", "kick", "--all", "--yes")
	bob.refused(1, "only the owner of demo", "mesh", "archive", "--yes")
	bob.refused(1, "only the owner of demo", "mesh", "backup")
	bob.refused(2, "is you", "member", "ban", "bob", "--yes")
	bob.run("member", "ban", "carol", "--yes")
	carol.refused(3, "banned", "grants")
	for _, verb := range []string{"kick alice", "audit", "audit verify", "queue dead", "queue show alice", "invite revoke x", "mesh settings --name x"} {
		alice.run("member", "set", "bob", "--role", "member")
		bob.refused(1, "only the owner and the admins of this mesh", strings.Fields(verb)...)
	}
}

func TestAKickEndsASessionAndADisconnectDoesNot(t *testing.T) {
	t.Parallel()
	alice, bob, _ := trio(t, startEdge(t, redistest.Start(t)).wsURL())
	one, two := bob.listen("--name", "one"), bob.listen("--name", "two", "--session", "two")
	watch := alice.listen()
	if got := names(t, alice.json("disconnect", "one"), "affected", "displayName"); got != "one" {
		t.Errorf("disconnected %q", got)
	}
	if got := names(t, alice.json("kick", "two"), "affected", "displayName"); got != "two" {
		t.Errorf("kicked %q", got)
	}
	<-two.done
	if code := two.cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(two.stderr.String(), "removed you") {
		t.Errorf("exit %d: %s", code, two.stderr.String())
	}
	// The one that was disconnected is back by itself.
	eventually(t, func() error {
		if o := alice.try("send", "one", "still there?"); o.code != 0 {
			return errors.New(o.stderr)
		}
		return nil
	})
	one.text("still there?")
	if got := alice.run("kick", "carol"); got != "" {
		t.Errorf("nobody is there, and %q", got)
	}
	alice.refused(2, "ends the session of everybody", "kick", "--all")
	if got := names(t, alice.json("kick", "--all", "--yes"), "affected", "peerRole"); got != "session session" {
		t.Errorf("kicked %q", got)
	}
	<-one.done
	<-watch.done
}

func TestWhomABlockConcernsIsTold(t *testing.T) {
	t.Parallel()
	alice, bob, carol := trio(t, startEdge(t, redistest.Start(t)).wsURL())
	got := alice.json("block", "bob")
	if caps, _ := got["capabilities"].([]any); got["name"] != "bob" || len(caps) != 0 || got["usual"] != false {
		t.Errorf("blocked: %v", got)
	}
	bob.refused(1, "does not take messages from you", "send", "alice", "hello")
	carol.run("send", "alice", "hello")
	if got := alice.run("grants"); !strings.HasPrefix(got, "bob\t") || !strings.HasSuffix(got, "\t\n") {
		t.Errorf("grants are %q", got)
	}
	alice.run("grant", "bob", "dm")
	bob.run("send", "alice", "again")
	if got := fmt.Sprint(alice.json("grant", "bob", "broadcast,read")["capabilities"]); got != "[read dm broadcast]" {
		t.Errorf("granted %s", got)
	}
	if got := fmt.Sprint(alice.json("revoke", "bob", "dm")["capabilities"]); got != "[read broadcast]" {
		t.Errorf("granted %s", got)
	}
	if got := alice.json("unblock", "bob"); got["usual"] != true {
		t.Errorf("unblocked: %v", got)
	}
	if got := fmt.Sprint(alice.json("grants")["grants"]); got != "[]" {
		t.Errorf("grants are %s", got)
	}
	alice.refused(2, "is you", "block", "alice")
	alice.refused(4, "no member is called", "block", "zed")
}

func TestAMeshIsSetUpListedAndArchived(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t, startEdge(t, redistest.Start(t)).wsURL())
	heard := bob.listen()
	set := alice.json("mesh", "settings", "--name", "Acme agents", "--self-editable", "name,tag", "--plaintext-groups", "on")
	if set["name"] != "Acme agents" || set["groups"] != "plain" || dig(t, set, "selfEditable", "roleTag") != true || set["members"] != 2.0 {
		t.Errorf("set %v", set)
	}
	if got := bob.run("mesh", "settings"); !strings.Contains(got, "name\tAcme agents\n") || !strings.Contains(got, "self-editable\tname,tag\n") || !strings.Contains(got, "groups\tplain\n") {
		t.Errorf("bob sees %q", got)
	}
	if got := alice.run("mesh", "list"); !strings.HasPrefix(got, "demo\tAcme agents\tmember\tadmin, owner\t") {
		t.Errorf("alice has %q", got)
	}
	bob.refused(1, "only the owner of demo", "mesh", "settings", "--plaintext-groups", "off")
	alice.refused(2, "nobody is here to be asked", "mesh", "archive")
	if got := alice.json("mesh", "archive", "demo", "--yes"); got["slug"] != "demo" {
		t.Errorf("archived %v", got)
	}
	<-heard.done
	alice.refused(3, "it was archived", "member", "list")
	if got := names(t, bob.json("mesh", "list"), "meshes", "state"); got != "gone" {
		t.Errorf("for bob it is %q", got)
	}
}

func TestTheFleetIsTheOperatorsToSee(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	one := startEdge(t, redis, "EDGE_OPERATOR_TOKEN="+operatorToken, "EDGE_MESH_CREATION=token")
	startEdge(t, redis, "EDGE_OPERATOR_TOKEN="+operatorToken)
	alice := newUser(t, one.wsURL())
	token := filepath.Join(alice.cwd, "token")
	if err := os.WriteFile(token, []byte(operatorToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	alice.refused(1, "whoever runs the broker", "create", "demo")
	alice.run("create", "demo", "--display-name", "alice", "--operator-token-file", token)
	alice.listen()
	eventually(t, func() error {
		edges, _ := alice.json("fleet", "--operator-token-file", token)["edges"].([]any)
		sockets := 0.0
		for _, e := range edges {
			n, _ := dig(t, e, "sockets").(float64)
			sockets += n
		}
		if len(edges) != 2 || sockets < 1 {
			return fmt.Errorf("edges %v", edges)
		}
		return nil
	})
	if got := alice.run("fleet", "--operator-token-file", token, "--broker", one.wsURL()); strings.Count(got, "\n") != 2 || strings.Count(got, "\t") != 8 {
		t.Errorf("the table is %q", got)
	}
	alice.refused(2, "whoever runs the broker", "fleet")
	if err := os.WriteFile(token, []byte("another token, as long"), 0o600); err != nil {
		t.Fatal(err)
	}
	alice.refused(1, "whoever runs the broker", "fleet", "--operator-token-file", token)
}

func TestTheHelpOfEachAdministratingVerbHasAnExample(t *testing.T) {
	t.Parallel()
	alice := newUser(t, "")
	for _, verb := range []string{
		"invite", "invite list", "invite revoke", "join", "mesh list", "mesh settings", "mesh archive", "mesh backup", "mesh restore",
		"member list", "member set", "member revoke", "member ban", "member unban", "kick", "disconnect", "grant", "revoke", "block",
		"unblock", "grants", "queue", "queue show", "queue dead", "queue requeue", "queue drop", "audit", "audit verify", "fleet",
	} {
		help := alice.run(append(strings.Fields(verb), "--help")...)
		if !strings.Contains(help, "\nExamples:\n  claudemesh "+verb) {
			t.Errorf("%s:\n%s", verb, help)
		}
		for line := range strings.Lines(help) {
			if len([]rune(strings.TrimSuffix(line, "\n"))) > 80 {
				t.Errorf("%s: wider than 80 columns: %s", verb, line)
			}
		}
	}
}

func TestPeersWhoseNumberWasComparedAreMarked(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t, startEdge(t, redistest.Start(t)).wsURL())
	bob.listen("--name", "bob-api")
	verified := func() any { return dig(t, alice.json("peers"), "peers", 0, "verified") }
	if got := verified(); got != false {
		t.Errorf("before, verified is %v", got)
	}
	alice.run("verify", "bob", "--ok")
	if got := verified(); got != true || !strings.HasSuffix(alice.run("peers"), "\tverified\n") {
		t.Errorf("after, verified is %v", got)
	}
}
