package command

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// phonebook is a directory that never changes.
type phonebook struct {
	peers   []wire.PeerInfo
	members []wire.MemberInfo
	err     error // of ListMembers
}

func (p phonebook) ListPeers(context.Context) ([]wire.PeerInfo, error) { return p.peers, nil }
func (p phonebook) ListMembers(context.Context) ([]wire.MemberInfo, error) {
	return p.members, p.err
}

// key makes a key that begins with digits.
func key(digits string) string { return digits + strings.Repeat("0", 64-len(digits)) }

func session(name, pubkey, member string) wire.PeerInfo {
	return wire.PeerInfo{DisplayName: name, Pubkey: key(pubkey), MemberPubkey: key(member), PeerRole: wire.PeerRoleSession}
}

func background(name, member string) wire.PeerInfo {
	return wire.PeerInfo{DisplayName: name, Pubkey: key(member), MemberPubkey: key(member), PeerRole: wire.PeerRoleControlPlane}
}

func member(name, pubkey string) wire.MemberInfo {
	return wire.MemberInfo{DisplayName: name, Pubkey: key(pubkey)}
}

var mesh = phonebook{
	peers: []wire.PeerInfo{
		session("Bob", "b0b1", "b0b0"), background("Bob", "b0b0"),
		session("Face", "aaaa1", "aaaa0"), session("Mask", "face1", "face0"),
		session("Twin", "cc01", "cc00"), session("twin", "dd01", "dd00"),
		session("Ana", "5e1f1", "5e1f"), session("Shared", "5e1f2", "5e1f"), session("Shared", "ee01", "ee00"),
		background("lonely", "ff00"),
	},
	members: []wire.MemberInfo{
		member("Bob", "b0b0"), member("Zoe", "2000"), member("Ana", "5e1f"), member("Many", "3001"), member("many", "3002"),
	},
}

func TestATargetIsANameAKeyOrItsDigits(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"*":                            "*",
		"@all":                         "@all",
		"@ops/api":                     "@ops/api",
		strings.ToUpper(key("abcdef")): key("abcdef"), // whoever that is, sealed for exactly that key
		"bob":                          key("b0b1"),   // the session, not the background connection of the same name
		"BOB":                          key("b0b1"),
		"lonely":                       key("ff00"),  // a background connection where there is nothing else
		"face":                         key("aaaa1"), // a name that looks like digits
		"face1":                        key("face1"),
		"FACE0":                        key("face0"), // a member by its digits
		"Zoe":                          key("2000"),  // away
		"2000":                         key("2000"),
		"Ana":                          key("5e1f1"), // our own session, as nobody else has that name
		"Shared":                       key("ee01"),  // the other one's, not our own
	} {
		got, err := resolve(t.Context(), mesh, key("5e1f"), typed)
		if err != nil || got.key != want {
			t.Errorf("%s is %s, %v; want %s", typed, short(got.key), err, short(want))
		}
	}
}

func TestWhatCouldBeSeveralIsRefusedWithTheCandidates(t *testing.T) {
	t.Parallel()
	for typed, candidates := range map[string][]string{
		"twin": {"Twin cc0100000000", "twin dd0100000000"},
		"b0b":  nil, // three digits are no prefix
		"b0b0": nil, // the member has two rows, but it is one key
		"face": nil,
		"many": {"Many 300100000000", "many 300200000000"},
		"aaaa": {"Face aaaa00000000", "Face aaaa10000000"},
	} {
		_, err := resolve(t.Context(), mesh, key("5e1f"), typed)
		if candidates == nil {
			var f *ui.Failure
			if errors.As(err, &f) && f.Code != ui.ExitAway {
				t.Errorf("%s: %v", typed, err)
			}
			continue
		}
		for _, c := range candidates {
			if err == nil || !strings.Contains(err.Error(), c) {
				t.Errorf("%s: %v does not name %s", typed, err, c)
			}
		}
	}
}

func TestNobodyOfThatNameIsExitCodeFour(t *testing.T) {
	t.Parallel()
	for _, d := range []phonebook{mesh, {err: peer.ErrNoAnswer}, {err: context.DeadlineExceeded}} {
		_, err := resolve(t.Context(), d, "", "nobody")
		var f *ui.Failure
		if !errors.As(err, &f) || f.Code != ui.ExitAway || f.Hint == "" {
			t.Errorf("got %v", err)
		}
	}
	boom := errors.New("boom")
	if _, err := resolve(t.Context(), phonebook{err: boom}, "", "nobody"); !errors.Is(err, boom) {
		t.Errorf("a failing directory: %v", err)
	}
}
