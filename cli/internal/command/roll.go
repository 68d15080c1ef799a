package command

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

// roll is all members of a mesh, those who are shut out included.
type roll struct {
	members []wire.MeshMember
	self    string // our member key
}

func (m *administered) roll(ctx context.Context) (*roll, error) {
	members, err := m.Members(ctx)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(members, func(a, b wire.MeshMember) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.DisplayName), strings.ToLower(b.DisplayName)), strings.Compare(a.Pubkey, b.Pubkey))
	})
	return &roll{members, m.m.mesh.PublicKey}, nil
}

// member finds whom a name or the first digits of a key mean: a member's own,
// or one of its sessions'. Where some that fit are shut out and others are not,
// shutOut says which are meant.
func (r *roll) member(typed string, shutOut bool) (wire.MeshMember, error) {
	for _, fits := range memberFits(typed) {
		var found []wire.MeshMember
		for _, m := range r.members {
			if fits(m) {
				found = append(found, m)
			}
		}
		if len(found) == 0 {
			continue
		}
		found = narrowed(found, func(m wire.MeshMember) bool { return (m.RevokedAt != nil) == shutOut })
		found = narrowed(found, func(m wire.MeshMember) bool { return m.Pubkey != r.self })
		if len(found) == 1 {
			return found[0], nil
		}
		var all []recipient
		for _, m := range found {
			all = append(all, recipient{key: m.Pubkey, name: m.DisplayName})
		}
		_, err := single(typed, all)
		return wire.MeshMember{}, err
	}
	return wire.MeshMember{}, ui.Failf("no member is called %q", typed).
		Hinted("claudemesh member list shows all").Coded(ui.ExitAway)
}

// memberFits are the ways in which something typed can mean a member; the first
// that fits anybody counts.
func memberFits(typed string) []func(wire.MeshMember) bool {
	session := func(fits func(wire.Presence) bool) func(wire.MeshMember) bool {
		return func(m wire.MeshMember) bool { return slices.ContainsFunc(m.Present, fits) }
	}
	return []func(wire.MeshMember) bool{
		func(m wire.MeshMember) bool { return strings.EqualFold(m.Pubkey, typed) },
		func(m wire.MeshMember) bool { return strings.EqualFold(m.DisplayName, typed) },
		session(func(p wire.Presence) bool { return strings.EqualFold(p.DisplayName, typed) }),
		func(m wire.MeshMember) bool { return hasPrefix(m.Pubkey, typed) },
		session(func(p wire.Presence) bool { return hasPrefix(p.Pubkey, typed) }),
	}
}

// narrowed keeps what fits, or everything where nothing does.
func narrowed[T any](found []T, fits func(T) bool) []T {
	some := slices.DeleteFunc(slices.Clone(found), func(v T) bool { return !fits(v) })
	if len(some) == 0 {
		return found
	}
	return some
}

// connection finds whose connections are meant: a member's, all of them, or one
// session's.
func (r *roll) connection(typed string) (recipient, error) {
	if key := strings.ToLower(typed); seal.IsKey(key) {
		return recipient{key: key, name: r.name(key)}, nil
	}
	var sessions []recipient
	for _, m := range r.members {
		for _, p := range m.Present {
			named := strings.EqualFold(p.DisplayName, typed) && !strings.EqualFold(m.DisplayName, typed)
			if named || p.Pubkey != m.Pubkey && hasPrefix(p.Pubkey, typed) {
				sessions = append(sessions, recipient{key: p.Pubkey, name: p.DisplayName, own: m.Pubkey == r.self})
			}
		}
	}
	if m, err := r.member(typed, false); err == nil && (len(sessions) == 0 || strings.EqualFold(m.DisplayName, typed)) {
		return recipient{key: m.Pubkey, name: m.DisplayName, own: m.Pubkey == r.self}, nil
	} else if len(sessions) == 0 {
		return recipient{}, err
	}
	return single(typed, othersFirst(sessions))
}

// name is what a key's holder is called; empty for who is not known.
func (r *roll) name(key string) string {
	for _, m := range r.members {
		if m.Pubkey == key {
			return m.DisplayName
		}
		for _, p := range m.Present {
			if p.Pubkey == key {
				return cmp.Or(p.DisplayName, m.DisplayName)
			}
		}
	}
	return ""
}

// byID is what a member of that id is called.
func (r *roll) byID(id string) string {
	for _, m := range r.members {
		if m.MemberID == id {
			return m.DisplayName
		}
	}
	return ""
}

// who is a name for people, or as much of the key as there is room for.
func (r *roll) who(key string) string {
	return cmp.Or(ui.CleanLine(r.name(key)), short(ui.CleanLine(key)))
}

// completeWithin bounds how long a shell waits for names.
const completeWithin = 2 * time.Second

// completeMember offers the names of members to a shell.
func (a *app) completeMember(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	const none = cobra.ShellCompDirectiveNoFileComp
	if len(args) > 0 {
		return nil, none
	}
	mesh, err := a.administer()
	if err != nil {
		return nil, none
	}
	ctx, cancel := context.WithTimeout(c.Context(), completeWithin)
	defer cancel()
	mesh.Busy = nil // there is no room for talk
	all, err := mesh.roll(ctx)
	if err != nil {
		return nil, none
	}
	var names []string
	for _, m := range all.members {
		if m.Pubkey != all.self {
			names = append(names, ui.CleanLine(m.DisplayName))
		}
	}
	return names, none
}
