package queue

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/claudemesh/claudemesh/infra/redis"
)

func TestATargetIsAMemberASessionOrAPresentClaim(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob := b.member("a1"), b.member("b0b")
	bobs := bob.session("5e55")
	claim := bob.claim("c1a1", "one")
	claim.open(claim.sender.Key, RankUnproven)

	refused := func(target string) {
		t.Helper()
		if _, err := b.q.Send(t.Context(), alice.direct(target, "", "{}")); !errors.Is(err, ErrNoRecipient) {
			t.Errorf("target %.10q: got %v, want ErrNoRecipient", target, err)
		}
	}
	reaches := func(target, inbox string) {
		t.Helper()
		id := alice.say(target)
		got := b.read(inbox, LaneNext)
		if len(got) == 0 || got[len(got)-1].ID != id {
			t.Errorf("a message to %.10s did not reach the inbox of %.10s", target, inbox)
		}
	}
	reaches(bob.sender.Member, bob.sender.Member) // although it is absent
	reaches(bobs.sender.Key, bobs.sender.Key)
	reaches(claim.sender.Key, claim.sender.Peer)
	refused(hexKey("dead"))
	refused("")
	refused("name with spaces'; %s")
	refused(claim.sender.Peer)
	refused("claim:" + claim.sender.Key)

	claim.close(claim.sender.Key)
	refused(claim.sender.Key)
	b.do("HSET", b.key("bans")(b.mesh), bob.sender.Member, "1")
	refused(bob.sender.Member)
	refused(bobs.sender.Key)
}

func TestOnesOwnKeyNeedsAnotherConnection(t *testing.T) {
	t.Parallel()
	b := setup(t)
	daemon := b.member("a1")
	session := daemon.session("5e55")
	daemon.open(daemon.sender.Member, RankUnproven)
	session.open(session.sender.Key, RankSession)
	refused := func(p *peer, target string) {
		t.Helper()
		if _, err := b.q.Send(t.Context(), p.direct(target, "", "{}")); !errors.Is(err, ErrNoRecipient) {
			t.Errorf("got %v, want ErrNoRecipient", err)
		}
	}
	refused(daemon, daemon.sender.Member)
	refused(session, session.sender.Key)
	session.say(session.sender.Member) // the daemon reads it
	daemon.say(session.sender.Key)
	session.open(session.sender.Member, RankSession)
	daemon.say(daemon.sender.Member)

	claim := daemon.claim("c1a1", "one")
	claim.open(claim.sender.Key, RankUnproven)
	refused(claim, claim.sender.Key)
	daemon.say(claim.sender.Key)
}

// TestS3_NamingAKeyReadsNothingOfIt is why claims are kept apart from readers:
// another member's connection may name any key.
func TestS3_NamingAKeyReadsNothingOfIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob, mallory := b.member("a1"), b.member("b0b"), b.member("bad")
	bobs := bob.session("5e55")
	for i, key := range []string{"b0b", "5e55"} {
		claim := mallory.claim(key, fmt.Sprint(i))
		claim.open(claim.sender.Key, RankAcked)
		alice.say(claim.sender.Key)
		if n := len(b.read(claim.sender.Peer, LaneNext)); n != 0 {
			t.Errorf("a claim on %s got its message", key)
		}
	}
	hear := b.listen(b.c.EdgeBell(b.mesh, edgeA))
	bob.open(bob.sender.Member, RankUnproven)
	alice.say(bob.sender.Member)
	if bell, ok := ParseInboxBell(hear()); !ok || bell.Reader != bob.sender.Peer {
		t.Errorf("the bell rang for %q, want %q", bell.Reader, bob.sender.Peer)
	}
	if _, err := b.q.OpenReader(t.Context(), mallory.reader(bobs.sender.Key, 0)); !errors.Is(err, ErrInvalid) {
		t.Errorf("a connection opened another's inbox: %v", err)
	}
}

func TestS3_AClaimYieldsToProof(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob := b.member("a1"), b.member("b0b")
	claim := bob.claim("5e55", "one")
	if !claim.open(claim.sender.Key, RankUnproven) {
		t.Fatal("messages do not reach the claim")
	}
	alice.say(claim.sender.Key)
	session := bob.session("5e55")
	if !session.open(session.sender.Key, RankSession) {
		t.Error("the session does not read its own inbox")
	}
	alice.say(session.sender.Key)
	if n := len(b.read(session.sender.Key, LaneNext)); n != 1 {
		t.Errorf("the proven inbox holds %d messages, want the one sent since the proof", n)
	}
	if n := b.do("HEXISTS", b.q.at(b.mesh).reader(), "claim:"+session.sender.Key); n != int64(0) {
		t.Error("the claim is still entered")
	}
	if claim.open(claim.sender.Key, RankUnproven) {
		t.Error("a proven key was claimed again")
	}
}

// vectors reads one group of the shared wire vectors.
func vectors(t *testing.T, group string, each func(name string, inputs, expected json.RawMessage)) {
	t.Helper()
	text, err := os.ReadFile("../edge/wire/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []struct {
			Name, Group      string
			Inputs, Expected json.RawMessage
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, v := range file.Vectors {
		if v.Group == group {
			found = true
			each(v.Name, v.Inputs, v.Expected)
		}
	}
	if !found {
		t.Errorf("no vectors of group %q", group)
	}
}

func TestGrantsDecideAsTheVectorsSay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	script := redis.NewScript("#!lua\nreturn grants_allow(ARGV[1], ARGV[2], ARGV[3], ARGV[4]) and 1 or 0", grantsLua)
	vectors(t, "grants", func(name string, inputs, expected json.RawMessage) {
		var in struct {
			Grants  json.RawMessage
			Member  string `json:"sender_member_key"`
			Session string `json:"sender_session_key"`
			Needed  string
		}
		var want struct{ Allowed bool }
		unmarshal(t, inputs, &in)
		unmarshal(t, expected, &want)
		if in.Session == "" {
			in.Session = in.Member // what a sender without a session key is seen under
		}
		got, err := b.c.Run(t.Context(), script, nil, string(in.Grants), in.Member, in.Session, in.Needed).Bool()
		if err != nil || got != want.Allowed {
			t.Errorf("%s: got %v, %v; want %v", name, got, err, want.Allowed)
		}
	})
}

func unmarshal(t *testing.T, data []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
}

func TestARecipientsGrantsBlockASender(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob := b.member("a1"), b.member("b0b")
	session := bob.session("5e55")
	claim := bob.claim("c1a1", "one")
	claim.open(claim.sender.Key, RankUnproven)
	for grants, blocked := range map[string]bool{
		`{}`: false,
		fmt.Sprintf(`{%q:[]}`, alice.sender.Member):                 true,
		fmt.Sprintf(`{%q:["broadcast"]}`, alice.sender.Member):      true,
		fmt.Sprintf(`{%q:["broadcast","dm"]}`, alice.sender.Member): false,
		fmt.Sprintf(`{%q:null,"x":[]}`, alice.sender.Member):        false,
		fmt.Sprintf(`{%q:"none"}`, alice.sender.Member):             false,
		`{`: false, ``: false, `null`: false, `[]`: false, `"\u00zz"`: false, "\x00": false,
	} {
		b.do("HSET", b.key("grants")(b.mesh), bob.sender.Member, grants)
		for _, target := range []string{bob.sender.Member, session.sender.Key, claim.sender.Key} {
			_, err := b.q.Send(t.Context(), alice.direct(target, "", "{}"))
			if errors.Is(err, ErrBlocked) != blocked || err != nil && !blocked {
				t.Errorf("grants %s: got %v, want blocked: %v", grants, err, blocked)
			}
		}
	}
}
