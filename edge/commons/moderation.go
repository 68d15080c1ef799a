package commons

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/admin"
	"github.com/claudemesh/claudemesh/functions/registry"
	"github.com/claudemesh/claudemesh/functions/rooms"
	"github.com/claudemesh/claudemesh/functions/signed"
)

const (
	// minKeyPrefix is how much of a key must be named: "ban a" is a slip more
	// often than a key.
	minKeyPrefix = 4

	keyDigits = 64 // of a whole key
)

func (s *Commons) registerModeration() {
	on(s.table, s.kick)
	on(s.table, s.disconnect)
	on(s.table, s.ban)
	on(s.table, s.unban)
	on(s.table, s.listBans)
}

// moderation is one request of an admin, with the members as they are now.
type moderation struct {
	*Commons
	admin.Moderator
	room    rooms.Presence
	who     *Caller
	members []registry.Member
}

// moderate checks that the caller is an admin, now, and charges it. The deeds
// are those of the signed requests, and so is their audit.
func (s *Commons) moderate(ctx context.Context, who *Caller, verb string) (context.Context, *moderation, error) {
	if err := s.charge(ctx, who); err != nil {
		return ctx, nil, err
	}
	members, err := s.registry.Members(ctx, who.Peer.Mesh)
	if err != nil {
		return ctx, nil, err
	}
	room := rooms.NewPresence(s.redis, s.presence)
	m := &moderation{
		Commons: s, Moderator: admin.Moderator{Registry: s.registry, Presence: room}, room: room, who: who, members: members,
	}
	if !m.isAdmin(who.Member.Key) {
		return ctx, nil, refuse(wire.CodeForbidden, "only owner or admin can %s", verb)
	}
	return registry.WithActor(ctx, who.Member.ID), m, nil
}

// charge bounds how fast a member does what is no change of a shelf.
func (s *Commons) charge(ctx context.Context, who *Caller) error {
	_, _, err := s.apply(ctx, act{mesh: who.Peer.Mesh, by: who})
	return err
}

func (m *moderation) by() admin.By { return admin.By{Key: m.who.Member.Key, As: signed.Admin} }

func (m *moderation) isAdmin(key string) bool {
	return slices.ContainsFunc(m.members, func(r registry.Member) bool {
		return r.Key == key && r.Role == wire.RoleAdmin && r.RevokedAt == nil
	})
}

func (s *Commons) ban(ctx context.Context, who *Caller, m *wire.Ban) (wire.Message, error) {
	ctx, mod, err := s.moderate(ctx, who, "ban")
	if err != nil {
		return nil, err
	}
	if m.Target == "" {
		return nil, refuse(wire.CodeInvalid, "target required")
	}
	active := slices.DeleteFunc(slices.Clone(mod.members), func(r registry.Member) bool { return r.RevokedAt != nil })
	found := findMembers(active, m.Target, minKeyPrefix)
	switch {
	case len(found) == 0:
		return nil, refuse(wire.CodeNotFound, "peer %q not found", m.Target)
	case len(found) > 1:
		return nil, several(m.Target, found)
	case found[0].Key == who.Member.Key:
		return nil, refuse(wire.CodeInvalid, "cannot ban yourself")
	}
	if err := mod.Ban(ctx, who.Peer.Mesh, mod.by(), found[0].Key); err != nil {
		return nil, moderated(err)
	}
	return &wire.BanAck{Banned: found[0].Name, ReqID: m.ReqID}, nil
}

func (s *Commons) unban(ctx context.Context, who *Caller, m *wire.Unban) (wire.Message, error) {
	ctx, mod, err := s.moderate(ctx, who, "unban")
	if err != nil {
		return nil, err
	}
	if m.Target == "" {
		return nil, refuse(wire.CodeInvalid, "target required")
	}
	found, err := oneOf(shutOut(mod.members), m.Target)
	if err != nil {
		return nil, err
	}
	if err := mod.Unban(ctx, who.Peer.Mesh, mod.by(), found.Key); err != nil {
		return nil, moderated(err)
	}
	return &wire.UnbanAck{Unbanned: found.Name, ReqID: m.ReqID}, nil
}

// shutOut are the members that were banned or revoked.
func shutOut(members []registry.Member) []registry.Member {
	return slices.DeleteFunc(slices.Clone(members), func(r registry.Member) bool { return r.RevokedAt == nil })
}

// oneOf finds who is meant among those that were shut out: by name or whole key.
func oneOf(out []registry.Member, target string) (registry.Member, error) {
	switch found := findMembers(out, target, keyDigits); len(found) {
	case 0:
		return registry.Member{}, refuse(wire.CodeNotFound, "no banned peer %q", target)
	case 1:
		return found[0], nil
	default:
		return registry.Member{}, several(target, found)
	}
}

func (s *Commons) listBans(ctx context.Context, who *Caller, m *wire.ListBans) (wire.Message, error) {
	members, err := s.registry.Members(ctx, who.Peer.Mesh)
	if err != nil {
		return nil, err
	}
	reply := &wire.ListBansResult{Bans: []wire.BannedMember{}, ReqID: m.ReqID}
	for _, r := range shutOut(members) {
		reply.Bans = append(reply.Bans, wire.BannedMember{Name: r.Name, Pubkey: r.Key, RevokedAt: wire.At(*r.RevokedAt)})
	}
	return reply, nil
}

// moderated puts into words of the wire why a deed was not done.
func moderated(err error) error {
	var r *signed.Refusal
	switch {
	case errors.As(err, &r):
		return refuse(r.Code, "%s", r.Message)
	case errors.Is(err, registry.ErrNotMember), errors.Is(err, registry.ErrNotBanned):
		return refuse(wire.CodeNotFound, "somebody else was quicker: look again")
	}
	return err
}

// findMembers finds who is meant: the key, else those of that name, else those
// whose key begins like that, with so many digits at least.
func findMembers(members []registry.Member, target string, digits int) []registry.Member {
	key := strings.ToLower(target)
	for _, fits := range []func(registry.Member) bool{
		func(r registry.Member) bool { return r.Key == key },
		func(r registry.Member) bool { return r.Name == target },
		func(r registry.Member) bool { return len(key) >= digits && strings.HasPrefix(r.Key, key) },
	} {
		if found := slices.DeleteFunc(slices.Clone(members), func(r registry.Member) bool { return !fits(r) }); len(found) > 0 {
			return found
		}
	}
	return nil
}

// several refuses to guess which of some members is meant.
func several(target string, found []registry.Member) error {
	const most, digits = 10, 12
	var names []string
	for _, r := range found[:min(len(found), most)] {
		names = append(names, r.Name+" ("+r.Key[:digits]+"…)")
	}
	if len(found) > most {
		names = append(names, "…")
	}
	return refuse(wire.CodeInvalid, "%q is several members, name one by its key: %s", target, strings.Join(names, ", "))
}

func (s *Commons) kick(ctx context.Context, who *Caller, m *wire.Kick) (wire.Message, error) {
	ctx, mod, err := s.moderate(ctx, who, "kick")
	if err != nil {
		return nil, err
	}
	return nil, mod.sendAway(ctx, &m.Selector, mod.Kick, admin.IsSession, func(r wire.Removed) wire.Message {
		return &wire.KickAck{Removed: r, ReqID: m.ReqID}
	})
}

func (s *Commons) disconnect(ctx context.Context, who *Caller, m *wire.Disconnect) (wire.Message, error) {
	ctx, mod, err := s.moderate(ctx, who, "disconnect")
	if err != nil {
		return nil, err
	}
	all := func(admin.Present) bool { return true }
	return nil, mod.sendAway(ctx, &m.Selector, mod.Disconnect, all, func(r wire.Removed) wire.Message {
		return &wire.DisconnectAck{Removed: r, ReqID: m.ReqID}
	})
}

// closing is how connections are closed: [admin.Moderator.Kick] or Disconnect.
type closing func(ctx context.Context, mesh, target string, which func(admin.Present) bool) error

// sendAway closes those connections among the selected that closes allows. It
// answers itself, since the caller's own goes last.
func (m *moderation) sendAway(ctx context.Context, sel *wire.Selector, do closing, closes func(admin.Present) bool, ack func(wire.Removed) wire.Message) error {
	chosen, err := m.chosen(ctx, sel)
	if err != nil {
		return err
	}
	r := wire.Removed{Kicked: []string{}, Affected: []string{}}
	var others, own []string
	for _, p := range chosen {
		switch {
		case !closes(p):
			r.Skipped = append(r.Skipped, p.DisplayName)
			continue
		case p.ID == m.who.Peer.ID:
			own = append(own, p.ID)
		default:
			others = append(others, p.ID)
		}
		r.Kicked = append(r.Kicked, p.DisplayName)
	}
	r.Affected = r.Kicked
	if err := m.closeAll(ctx, do, others); err != nil {
		return err
	}
	m.who.Reply(ack(r))
	if err := m.closeOwn(ctx, do, own); err != nil {
		m.log.WarnContext(ctx, "close the asker's own connection", "mesh", m.who.Peer.Mesh, "err", err)
	}
	return errAnswered
}

// closeOwn only has the connection closed: its lease ends with it, once this
// request is done, so nobody may wait for that here.
func (m *moderation) closeOwn(ctx context.Context, do closing, peers []string) error {
	if len(peers) == 0 {
		return nil
	}
	return do(ctx, m.who.Peer.Mesh, strings.Join(peers, " "), func(admin.Present) bool { return false })
}

func (m *moderation) closeAll(ctx context.Context, do closing, peers []string) error {
	if len(peers) == 0 {
		return nil
	}
	return do(ctx, m.who.Peer.Mesh, strings.Join(peers, " "), func(p admin.Present) bool { return slices.Contains(peers, p.ID) })
}

// chosen lists whom a selector means. All and stale spare the caller and other
// admins; whoever names another admin is refused.
func (m *moderation) chosen(ctx context.Context, sel *wire.Selector) ([]admin.Present, error) {
	here, err := m.room.Present(ctx, m.who.Peer.Mesh)
	if err != nil {
		return nil, err
	}
	spared := func(p admin.Present) bool {
		return p.ID == m.who.Peer.ID || p.Member != m.who.Member.Key && m.isAdmin(p.Member)
	}
	switch {
	case sel.All:
		return slices.DeleteFunc(here, spared), nil
	case sel.Stale > 0:
		silence, err := m.presence.Silence(ctx, m.who.Peer.Mesh)
		return slices.DeleteFunc(here, func(p admin.Present) bool {
			return spared(p) || wire.Millis(silence[p.ID].Milliseconds()) <= sel.Stale
		}), err
	case sel.Target != "":
		return m.named(here, sel.Target)
	}
	return nil, refuse(wire.CodeInvalid, "all, stale or target required")
}

// named lists the connections that a target means, if they are of one member:
// those with that key, else those shown under that name, else those of the
// member that was enrolled under it or whose key begins like that.
func (m *moderation) named(here []admin.Present, target string) ([]admin.Present, error) {
	key := strings.ToLower(target)
	members := findMembers(m.members, target, minKeyPrefix)
	var chosen []admin.Present
	for _, fits := range []func(admin.Present) bool{
		func(p admin.Present) bool { return p.Member == key || p.Pubkey == key },
		func(p admin.Present) bool { return p.DisplayName == target },
		func(p admin.Present) bool { return owner(members, p) != nil },
	} {
		chosen = slices.DeleteFunc(slices.Clone(here), func(p admin.Present) bool { return !fits(p) })
		if len(chosen) > 0 {
			break
		}
	}
	owners := slices.DeleteFunc(slices.Clone(m.members), func(r registry.Member) bool {
		return !slices.ContainsFunc(chosen, func(p admin.Present) bool { return p.Member == r.Key })
	})
	switch {
	case len(owners) > 1:
		return nil, several(target, owners)
	case len(owners) == 1 && owners[0].Key != m.who.Member.Key && m.isAdmin(owners[0].Key):
		return nil, refuse(wire.CodeForbidden, "only the owner moderates admins")
	}
	return chosen, nil
}

// owner finds the member that a connection belongs to.
func owner(members []registry.Member, p admin.Present) *registry.Member {
	i := slices.IndexFunc(members, func(r registry.Member) bool { return r.Key == p.Member })
	if i < 0 {
		return nil
	}
	return &members[i]
}
