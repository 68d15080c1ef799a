package command

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// joiningThere reports whether a machine remembers a join that was begun.
func joiningThere(t *testing.T, m *machine) bool {
	t.Helper()
	info, err := os.Stat(filepath.Join(m.dir, "joining.json"))
	if errors.Is(err, os.ErrNotExist) {
		return false
	}
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	return true
}

func TestAJoinWhoseAnswerWasLostIsRepeatedWithTheSameKey(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	ana, bob := newMachine(t, b.url), newMachine(t, "")
	must[membershipAnswer](ana, "create", "Acme")
	link := must[inviteAnswer](ana, "invite", "--uses", "1").Link
	var keys []string
	b.join = func(in *wire.JoinRequest) (int, wire.JoinResponse) {
		keys = append(keys, in.PeerPubkey)
		switch {
		case len(keys) == 1:
			panic(http.ErrAbortHandler) // it counts, and nobody hears of it
		case in.PeerPubkey != keys[0]:
			return http.StatusBadRequest, wire.JoinResponse{Error: wire.JoinExhausted}
		}
		return http.StatusOK, wire.JoinResponse{OK: true, MemberID: testMember, AlreadyMember: true}
	}
	if _, talk, code := bob.run("join", link); code != ui.ExitFailed || !strings.Contains(talk, "same link") || !joiningThere(t, bob) || len(bob.config().Meshes) != 0 {
		t.Fatalf("the lost answer: exits with %d: %s", code, talk)
	}
	must[membershipAnswer](bob, "join", link)
	if mesh := bob.config().Meshes; len(mesh) != 1 || mesh[0].PublicKey != keys[0] {
		t.Errorf("joined with another key than the one that the broker took in")
	}
	if joiningThere(t, bob) {
		t.Error("the join is remembered after it was answered")
	}
}

func TestAJoinIsRememberedThroughRefusalsThatPassAndForgottenAfterOthers(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	ana := newMachine(t, b.url)
	must[membershipAnswer](ana, "create", "Acme")
	link := must[inviteAnswer](ana, "invite").Link
	for code, kept := range map[string]bool{
		wire.ClaimRateLimited: true, wire.ClaimUnavailable: true, wire.JoinTimestampSkew: true, wire.ClaimMeshFull: true, "news": true,
		wire.JoinExhausted: false, wire.JoinRevoked: false, wire.JoinExpired: false, wire.JoinBanned: false, wire.JoinNotFound: false,
	} {
		b.join = func(*wire.JoinRequest) (int, wire.JoinResponse) {
			return http.StatusBadRequest, wire.JoinResponse{Error: code}
		}
		bob := newMachine(t, "")
		if _, talk, exit := bob.run("join", link); exit == ui.ExitOK || joiningThere(t, bob) != kept {
			t.Errorf("%s exits with %d, remembered: %v\n%s", code, exit, joiningThere(t, bob), talk)
		}
	}
}

func TestCommandsThatJoinAtOnceTakeOneUseOfTheInvite(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	ana, bob := newMachine(t, b.url), newMachine(t, "")
	must[membershipAnswer](ana, "create", "Acme")
	link := must[inviteAnswer](ana, "invite", "--uses", "1").Link
	var mu sync.Mutex
	used := ""
	b.join = func(in *wire.JoinRequest) (int, wire.JoinResponse) {
		mu.Lock()
		defer mu.Unlock()
		if used == "" {
			used = in.PeerPubkey
		}
		if in.PeerPubkey != used {
			return http.StatusBadRequest, wire.JoinResponse{Error: wire.JoinExhausted}
		}
		return http.StatusOK, wire.JoinResponse{OK: true, MemberID: testMember}
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, talk, code := bob.run("join", link); code != ui.ExitOK {
				t.Errorf("exits with %d: %s", code, talk)
			}
		})
	}
	all.Wait()
	if meshes := bob.config().Meshes; len(meshes) != 1 || meshes[0].PublicKey != used || joiningThere(t, bob) {
		t.Errorf("joined %d times", len(meshes))
	}
}

func TestAShortLinkThatIsUsedUpByUsStillLeadsIn(t *testing.T) {
	t.Parallel()
	b := newLinkBroker(t)
	_, answer := invited(t, b)
	bob := newMachine(t, "")
	b.claimed = func(*wire.ClaimResponse) { panic(http.ErrAbortHandler) }
	if _, talk, code := bob.run("join", answer.ShortLink); code != ui.ExitFailed {
		t.Fatalf("the lost answer: exits with %d: %s", code, talk)
	}
	first := b.claimedBy(t)
	b.mu.Lock()
	b.claimed = nil
	b.preview = func(*wire.InvitePreview) (int, any) {
		return http.StatusGone, wire.NewHTTPError(wire.CodeExhausted, "used up")
	}
	b.mu.Unlock()
	must[membershipAnswer](bob, "join", answer.ShortLink)
	if again := b.claimedBy(t); again != first || bob.config().Meshes[0].PublicKey != first {
		t.Errorf("claimed by %s, then by %s", first, again)
	}
	if joiningThere(t, bob) {
		t.Error("the join is remembered after it was answered")
	}
	if _, talk, code := newMachine(t, "").run("join", answer.ShortLink); code != ui.ExitFailed || !strings.Contains(talk, "used up") {
		t.Errorf("somebody else exits with %d: %s", code, talk)
	}
}

// claimedBy returns whose the last claim was.
func (b *linkBroker) claimedBy(t *testing.T) string {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	last := b.requests[len(b.requests)-1]
	_, body, _ := strings.Cut(last, "/claim ")
	var in wire.ClaimRequest
	if err := json.Unmarshal([]byte(body), &in); err != nil || in.PeerPubkey == "" {
		t.Fatalf("%s: %v", last, err)
	}
	return in.PeerPubkey
}
