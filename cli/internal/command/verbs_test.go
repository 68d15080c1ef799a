package command

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/identity"
	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// keyOf makes a key that begins with those digits.
func keyOf(digits string) string { return digits + strings.Repeat("0", 64-len(digits)) }

// testRoll has Ana (us), Bob with two sessions, another Bob who is banned, and
// Dora twice.
func testRoll() *roll {
	out := wire.At(time.UnixMilli(1))
	return &roll{self: keyOf("aaaa"), members: []wire.MeshMember{
		{Pubkey: keyOf("aaaa"), DisplayName: "Ana"},
		{Pubkey: keyOf("bbbb"), DisplayName: "Bob", Present: []wire.Presence{
			{Pubkey: keyOf("b1b1"), DisplayName: "api"}, {Pubkey: keyOf("b2b2"), DisplayName: "Bob"},
		}},
		{Pubkey: keyOf("cccc"), DisplayName: "bob", RevokedAt: &out, Banned: true},
		{Pubkey: keyOf("dddd"), DisplayName: "Dora"},
		{Pubkey: keyOf("ddee"), DisplayName: "dora"},
		{Pubkey: keyOf("eeee"), DisplayName: "bbbb"},
	}}
}

func TestAMemberIsFoundByNameThenBySessionThenByKey(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		typed   string
		shutOut bool
		want    string // first digits; or part of the refusal
	}{
		{"Bob", false, "bbbb"},
		{"BOB", true, "cccc"},
		{"ana", false, "aaaa"},
		{"api", false, "bbbb"},
		{"bbbb", false, "eeee"}, // a name goes before digits
		{"b1b1", false, "bbbb"},
		{keyOf("cccc"), false, "cccc"},
		{"dora", false, "could be"},
		{"dd", false, "no member is called"}, // too short for a key
		{"ddd", false, "no member is called"},
		{"dddd", false, "dddd"},
		{"nobody", false, "no member is called"},
		{"", false, "no member is called"},
	} {
		m, err := testRoll().member(tt.typed, tt.shutOut)
		if err != nil && !strings.Contains(err.Error(), tt.want) || err == nil && m.Pubkey != keyOf(tt.want) {
			t.Errorf("%q (shut out %v) is %q, %v; want %s", tt.typed, tt.shutOut, m.Pubkey, err, tt.want)
		}
	}
}

func TestConnectionsAreAMembersOrOneSessions(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"bob": keyOf("bbbb"), "api": keyOf("b1b1"), "b2b2": keyOf("b2b2"), keyOf("9999"): keyOf("9999"), "zed": "",
	} {
		r, err := testRoll().connection(typed)
		if r.key != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q, %v; want %q", typed, r.key, err, want)
		}
	}
}

// logOf makes a log of n entries, as a broker would.
func logOf(t *testing.T, n int) []wire.AuditEntry {
	t.Helper()
	prev := wire.AuditGenesis
	var out []wire.AuditEntry
	for i := range n {
		e := wire.AuditEntry{ID: fmt.Sprintf("%d-0", 10+i), EventType: "x", Payload: json.RawMessage("{}"), CreatedAt: wire.At(time.UnixMilli(int64(i)))}
		hash, err := wire.AuditHash(prev, testMesh, e.EventType, e.Actor, e.Payload, e.CreatedAt.Time)
		if err != nil {
			t.Fatal(err)
		}
		e.Hash = hash
		prev, out = hash, append(out, e)
	}
	return out
}

func TestALogThatWasWrittenAnewIsNotTheOneThatWasSeen(t *testing.T) {
	t.Parallel()
	log := logOf(t, 6)
	seen := &identity.AuditPin{ID: log[3].ID, Hash: log[3].Hash}
	anew := logOf(t, 6)[:3] // it holds by itself, and lacks what was seen
	other := &identity.AuditPin{ID: log[3].ID, Hash: strings.Repeat("0", 64)}
	for name, tt := range map[string]struct {
		entries []wire.AuditEntry
		seen    *identity.AuditPin
		valid   bool
		seenAt  string
	}{
		"never seen":      {log, nil, true, ""},
		"grown":           {log, seen, true, seen.ID},
		"cut":             {anew, seen, false, ""},
		"another history": {log, other, false, ""},
		"emptied":         {nil, seen, false, ""},
	} {
		if v := judge(testMesh, tt.entries, tt.seen); v.Valid != tt.valid || v.SeenAt != tt.seenAt || v.Valid != (v.Reason == "") {
			t.Errorf("%s: %+v", name, v)
		}
	}
	altered := slices.Clone(log)
	altered[2].EventType = "y"
	if v := judge(testMesh, altered, nil); v.Valid || v.BrokenAt != log[2].ID {
		t.Errorf("altered: %+v", v)
	}
}

func TestRefusalsOfABrokerAreWordedAndHaveTheirExitCode(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		code    wire.Code
		message string
		want    string
		exit    int
	}{
		{wire.CodeForbidden, mayNot, "only the owner and the admins of this mesh can do this", ui.ExitFailed},
		{wire.CodeForbidden, "only the owner moderates admins", "only the owner moderates admins", ui.ExitFailed},
		{wire.CodeRevoked, "x", "you are banned", ui.ExitNotMember},
		{wire.CodeMeshNotFound, "x", "archived", ui.ExitNotMember},
		{wire.CodeNotFound, "no such invite", "no such invite", ui.ExitFailed},
		{wire.CodeOperatorToken, "x", "whoever runs the broker", ui.ExitFailed},
		{wire.CodeTimestampSkew, "x", "clocks", ui.ExitFailed},
		{"news", "something new", "something new (news)", ui.ExitFailed},
	} {
		f := explainRefusal(&peer.RefusedError{Code: tt.code, Message: tt.message})
		if f == nil || !strings.Contains(f.Message, tt.want) || f.Code != tt.exit || f.Hint == "" && tt.code != "news" {
			t.Errorf("%s: %+v", tt.code, f)
		}
	}
}

func TestAnInviteEndsInOneOfThreeWays(t *testing.T) {
	t.Parallel()
	now, revoked := time.Unix(1000, 0), wire.At(time.Unix(1, 0))
	for want, i := range map[string]wire.MeshInvite{
		inviteOpen:   {MaxUses: 2, Uses: 1, ExpiresAt: 1000}, // good in its very second
		"over":       {MaxUses: 1, ExpiresAt: 999},
		"used up":    {MaxUses: 1, Uses: 1, ExpiresAt: 1001},
		"taken back": {MaxUses: 1, ExpiresAt: 1001, RevokedAt: &revoked},
	} {
		if got := inviteState(i, now); got != want {
			t.Errorf("%+v is %s, want %s", i, got, want)
		}
	}
}

func TestWhatIsGrantedIsTheUsualUntilSomethingIsSaid(t *testing.T) {
	t.Parallel()
	bob := keyOf("bb")
	for _, tt := range []struct {
		grants wire.Grants
		want   string
		usual  bool
	}{
		{nil, "read dm broadcast state-read", true},
		{wire.Grants{bob: {}}, "", false},
		{wire.Grants{bob: {wire.CapFileRead, wire.CapDM}}, "dm file-read", false},
	} {
		if g := grantedTo("Bob", bob, tt.grants); capList(g.Capabilities) != tt.want || g.Usual != tt.usual {
			t.Errorf("%v: %+v", tt.grants, g)
		}
	}
	if caps, err := parseCaps([]string{"DM,read", "all"}); err != nil || len(ordered(caps)) != len(allCaps) {
		t.Errorf("%v, %v", caps, err)
	}
	if _, err := parseCaps([]string{"dm", "everything"}); err == nil {
		t.Error("everything is no capability")
	}
}

func TestWhatCannotBeMeantIsRefusedBeforeAnybodyIsAsked(t *testing.T) {
	t.Parallel()
	b := newLinkBroker(t)
	ana, _ := invited(t, b)
	requests := len(b.requests)
	for line, want := range map[string]string{
		"member set":                           "MEMBER is missing",
		"member set bob":                       "nothing to change",
		"member set bob --role king":           "role must be",
		"member set bob --mode loud":           "messageMode must be",
		"member set bob --group x --no-groups": "contradict",
		"kick":                                 "PEER is missing",
		"kick bob --all":                       "or say --all",
		"kick --all":                           "ends the session of everybody",
		"grant bob":                            "CAPABILITY is missing",
		"grant bob everything":                 "no capability",
		"block":                                "PEER is missing",
		"queue show":                           "PEER is missing",
		"queue show bob --priority soon":       "is none",
		"queue show bob --limit 0":             "--limit must be",
		"queue drop":                           "ID is missing",
		"queue drop d1 --all":                  "or say --all",
		"audit --limit 1000":                   "--limit must be",
		"fleet":                                "token of whoever runs the broker",
		"mesh archive":                         "ends it for everybody",
		"mesh settings --self-editable shoe-size":  "nothing that members have",
		"mesh settings --plaintext-groups perhaps": "neither on nor off",
		"invite revoke": "ID is missing",
		"mesh nonsense": "unknown command",
	} {
		out, talk, code := ana.run(strings.Fields(line)...)
		if code != ui.ExitUsage || out != "" || !strings.Contains(talk, want) || !strings.Contains(talk, "hint: ") {
			t.Errorf("%s exits with %d, answers %q and says %q", line, code, out, talk)
		}
	}
	if len(b.requests) != requests {
		t.Errorf("the broker was asked: %q", b.requests[requests:])
	}
}
