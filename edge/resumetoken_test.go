package edge

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/claudemesh/claudemesh/presence"
)

const (
	someMesh    = "MESH0123456789abcdefABCDEFxyzXYZ"
	someMember  = "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394"
	someSession = "ca93ac1705187071d67b83c7ff0efe8108e8ec4530575d7726879333dbdabe7c"
	someSecret  = "a secret of thirty-two characters"
)

func someTokens() map[presence.Kind]resumeToken {
	session := resumeToken{
		kind: presence.KindSession, mesh: someMesh, member: someMember, session: someSession, peer: someSession,
		generation: "1767225600000001", pid: 4242, whileWorking: true, bound: time.Unix(1767225600, 0),
	}
	claim, member := session, session
	claim.kind, claim.peer, claim.whileWorking = presence.KindClaim, claimID(someMember, someSession), false
	member.kind, member.session, member.pid = presence.KindMember, "", -1
	member.peer = "m" + digest(someMember, "s", "h")
	return map[presence.Kind]resumeToken{
		presence.KindSession: session, presence.KindClaim: claim, presence.KindMember: member,
	}
}

func sealed(t testing.TB, keys tokenKeys, token resumeToken) string {
	t.Helper()
	text, err := keys.seal(&token)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestATokenSaysWhatWasSealedInIt(t *testing.T) {
	t.Parallel()
	keys := newTokenKeys([]string{someSecret})
	for kind, want := range someTokens() {
		got, ok := keys.open(sealed(t, keys, want))
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(resumeToken{})); !ok || diff != "" {
			t.Errorf("%s: opened %v (-want, +got):\n%s", kind, ok, diff)
		}
	}
}

// TestS3_ASessionsTokenIsProvenByItsKeyAndOthersByTheMembers holds the one rule
// that decides who may come back as whom.
func TestS3_ASessionsTokenIsProvenByItsKeyAndOthersByTheMembers(t *testing.T) {
	t.Parallel()
	for kind, token := range someTokens() {
		want := someMember
		if kind == presence.KindSession {
			want = someSession
		}
		if got := token.signer(); got != want {
			t.Errorf("%s: signed by %s", kind, got)
		}
	}
}

func TestNoCharacterOfATokenCanBeChanged(t *testing.T) {
	t.Parallel()
	keys := newTokenKeys([]string{someSecret})
	for _, token := range someTokens() {
		text := sealed(t, keys, token)
		for i := range text {
			for _, with := range []string{"A", "_", "=", ""} {
				changed := text[:i] + with + text[i+1:]
				if _, ok := keys.open(changed); ok && changed != text {
					t.Fatalf("%q instead of %q at %d is accepted", with, text[i], i)
				}
			}
		}
	}
}

func TestATokenOfAKeyNotInUseIsRefused(t *testing.T) {
	t.Parallel()
	old, fresh := "the key that was used until now..", "the key that is used from now on."
	text := sealed(t, newTokenKeys([]string{old}), someTokens()[presence.KindSession])
	for _, tt := range []struct {
		keys []string
		want bool
	}{{[]string{old}, true}, {[]string{fresh, old}, true}, {[]string{fresh}, false}} {
		if _, ok := newTokenKeys(tt.keys).open(text); ok != tt.want {
			t.Errorf("with %q: %v", tt.keys, ok)
		}
	}
}

func TestResumeKeysAreChecked(t *testing.T) {
	t.Parallel()
	for keys, want := range map[Secret]bool{
		"": true, " ": true, someSecret: true, someSecret + ", " + someSecret: true,
		"short": false, someSecret + ",": false, "," + someSecret: false,
		Secret(strings.Repeat(someSecret+",", maxResumeKeys) + someSecret): false,
	} {
		c := DefaultConfig()
		c.ResumeKeys = keys
		if err := c.check(); (err == nil) != want {
			t.Errorf("%.20q: %v", string(keys), err)
		}
	}
}

// FuzzOpenToken looks for a token that crashes the decoder, is accepted without
// its code, or does not read back as what it says.
func FuzzOpenToken(f *testing.F) {
	keys := newTokenKeys([]string{someSecret})
	for _, token := range someTokens() {
		text := sealed(f, keys, token)
		raw, _ := base64.RawURLEncoding.DecodeString(text)
		f.Add(raw[:tokenCode])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, ok := keys.open(base64.RawURLEncoding.EncodeToString(b)); ok {
			t.Fatal("accepted without a code")
		}
		token, ok := keys.open(base64.RawURLEncoding.EncodeToString(append(b, code(keys[0].mac, b)...)))
		if !ok {
			return
		}
		again, ok := keys.open(sealed(t, keys, token))
		if diff := cmp.Diff(token, again, cmp.AllowUnexported(resumeToken{})); !ok || diff != "" {
			t.Fatalf("reads back as something else: %s", diff)
		}
	})
}
