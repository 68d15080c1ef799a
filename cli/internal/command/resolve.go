package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
)

const (
	minPrefix = 4 // hex digits that are taken for the beginning of a key
	// membersWait is how long an older broker may take not to answer.
	membersWait = 3 * time.Second
)

// recipient is whom a target names.
type recipient struct {
	key  string // or "*" or "@group"
	name string // for people
	own  bool   // one of our own sessions
}

// directory is what names and prefixes are looked up in.
type directory interface {
	ListPeers(context.Context) ([]wire.PeerInfo, error)
	ListMembers(context.Context) ([]wire.MemberInfo, error)
}

// plainTarget recognises what needs no directory: everybody, a group, a key.
func plainTarget(typed string) (recipient, bool, error) {
	switch key := strings.ToLower(typed); {
	case typed == "":
		return recipient{}, false, ui.Usagef("TARGET is empty").Hinted("claudemesh send NAME TEXT; claudemesh peers shows who is here")
	case typed == "#":
		return recipient{}, false, ui.Usagef("the topic's name is missing").Hinted("claudemesh topic list shows the topics")
	case isTopicName(typed):
		return recipient{}, false, nil
	case typed == "*" || strings.HasPrefix(typed, "@"):
		_, err := seal.GroupName(typed)
		return recipient{key: typed, name: typed}, true, err
	case seal.IsKey(key):
		return recipient{key: key, name: short(key)}, true, nil
	}
	return recipient{}, false, nil
}

// resolve finds whom a target names. The broker never does: it knows keys only.
// A name is looked for among those present, then among all members, where the
// message waits for whoever is away. Digits of a key come after names, because
// names such as Ada or Face look like digits.
func resolve(ctx context.Context, d directory, self, typed string) (recipient, error) {
	if r, ok, err := plainTarget(typed); ok || err != nil {
		return r, err
	}
	peers, err := d.ListPeers(ctx)
	if err != nil {
		return recipient{}, err
	}
	if found := othersFirst(namedPeers(peers, self, typed)); len(found) > 0 {
		return single(typed, found)
	}
	if found := prefixedPeers(peers, self, typed); len(found) > 0 {
		return single(typed, found)
	}
	members, err := listMembers(ctx, d)
	if err != nil {
		return recipient{}, err
	}
	if found := othersFirst(membersBy(members, self, func(m wire.MemberInfo) bool {
		return strings.EqualFold(m.DisplayName, typed)
	})); len(found) > 0 {
		return single(typed, found)
	}
	if found := membersBy(members, self, func(m wire.MemberInfo) bool { return hasPrefix(m.Pubkey, typed) }); len(found) > 0 {
		return single(typed, found)
	}
	return recipient{}, ui.Failf("nobody in the mesh is called %q", typed).
		Hinted("claudemesh peers shows who is here").Coded(ui.ExitAway)
}

// listMembers asks for all members. A broker that does not know the request
// has none to offer.
func listMembers(ctx context.Context, d directory) ([]wire.MemberInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, membersWait)
	defer cancel()
	members, err := d.ListMembers(ctx)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, peer.ErrNoAnswer) {
		return nil, nil
	}
	return members, err
}

// namedPeers returns the present peers of that name. A member's background
// connection is not meant where the member has a session.
func namedPeers(peers []wire.PeerInfo, self, name string) []recipient {
	sessions := make(map[string]bool)
	for _, p := range peers {
		if p.PeerRole != wire.PeerRoleControlPlane {
			sessions[p.MemberPubkey] = true
		}
	}
	var found []recipient
	for _, p := range peers {
		background := p.PeerRole == wire.PeerRoleControlPlane && sessions[p.MemberPubkey]
		if strings.EqualFold(p.DisplayName, name) && !background {
			found = append(found, recipient{key: p.Pubkey, name: p.DisplayName, own: p.MemberPubkey == self})
		}
	}
	return found
}

// prefixedPeers returns the present keys, of sessions and of members, that
// begin with those digits.
func prefixedPeers(peers []wire.PeerInfo, self, digits string) []recipient {
	var found []recipient
	for _, p := range peers {
		for _, key := range []string{p.Pubkey, p.MemberPubkey} {
			if hasPrefix(key, digits) {
				found = append(found, recipient{key: key, name: p.DisplayName, own: p.MemberPubkey == self})
			}
		}
	}
	return found
}

func membersBy(members []wire.MemberInfo, self string, match func(wire.MemberInfo) bool) []recipient {
	var found []recipient
	for _, m := range members {
		if match(m) {
			found = append(found, recipient{key: m.Pubkey, name: m.DisplayName, own: m.Pubkey == self})
		}
	}
	return found
}

// hasPrefix reports whether digits are the beginning of key, and long enough
// to be meant so.
func hasPrefix(key, digits string) bool {
	return len(digits) >= minPrefix && strings.HasPrefix(key, strings.ToLower(digits))
}

// othersFirst leaves our own sessions out, unless nothing else is left.
func othersFirst(found []recipient) []recipient {
	others := slices.DeleteFunc(slices.Clone(found), func(r recipient) bool { return r.own })
	if len(others) == 0 {
		return found
	}
	return others
}

// single returns the one recipient among found, or names those it could be.
func single(typed string, found []recipient) (recipient, error) {
	slices.SortFunc(found, func(a, b recipient) int { return strings.Compare(a.key, b.key) })
	found = slices.CompactFunc(found, func(a, b recipient) bool { return a.key == b.key })
	if len(found) == 1 {
		return found[0], nil
	}
	var candidates []string
	for _, r := range found {
		candidates = append(candidates, fmt.Sprintf("%s %s", ui.CleanLine(r.name), short(r.key)))
	}
	return recipient{}, ui.Failf("%q could be %s", typed, strings.Join(candidates, ", or ")).
		Hinted("say which by the first digits of the key")
}

// short is as much of a key as a person can compare at a glance.
func short(key string) string { return key[:min(len(key), 12)] }
