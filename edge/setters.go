package edge

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/presence"
)

// change writes a changed record to the roster and, once it is there, takes it
// over here.
func (c *conn) change(ctx context.Context, u presence.UpdateEvent, edit func(*record)) error {
	r := c.copyRecord()
	edit(&r)
	b, err := encodeRecord(&r)
	if err != nil {
		return err
	}
	if _, err := c.server.presence.Update(ctx, c.held, b, u); err != nil {
		return err
	}
	c.setRecord(r)
	return nil
}

func (c *conn) setSummary(ctx context.Context, m *wire.SetSummary) error {
	return c.change(ctx, presence.UpdateEvent{}, func(r *record) { r.Summary = &m.Summary })
}

func (c *conn) setStats(ctx context.Context, m *wire.SetStats) error {
	return c.change(ctx, presence.UpdateEvent{}, func(r *record) { r.Stats = &m.Stats })
}

func (c *conn) setProfile(ctx context.Context, m *wire.SetProfile) error {
	err := c.change(ctx, presence.UpdateEvent{}, func(r *record) {
		var old wire.Profile
		if r.Profile != nil {
			old = *r.Profile
		}
		if merged := old.Merge(m.Profile); !merged.IsZero() {
			r.Profile = &merged
		}
	})
	if err == nil {
		c.ackSetter(m.ReqID)
	}
	return err
}

// setVisible shows or hides the peer, and tells others.
func (c *conn) setVisible(ctx context.Context, m *wire.SetVisible) error {
	was := c.copyRecord()
	u := presence.UpdateEvent{Announce: &m.Visible}
	if was.hidden() == m.Visible && !c.about.Transient {
		event := wire.EventPeerVisible
		if !m.Visible {
			event = wire.EventPeerHidden
		}
		data, err := json.Marshal(wire.PeerEvent{Name: was.DisplayName, Pubkey: c.key})
		if err != nil {
			return err
		}
		u.Event, u.Data = string(event), data
	}
	err := c.change(ctx, u, func(r *record) { r.Visible = &m.Visible })
	if err == nil {
		c.ackSetter(m.ReqID)
	}
	return err
}

// ackSetter answers the two setters that have an answer, in the shape that the
// reference gave them.
func (c *conn) ackSetter(id wire.ReqID) { c.socket.send(&wire.Ack{ID: string(id), ReqID: id}) }

// joinGroup enters a group. What was sent to it before does not reach the
// peer, so the place in the journal is kept with the group.
func (c *conn) joinGroup(ctx context.Context, m *wire.JoinGroup) error {
	here := c.copyRecord()
	i := slices.IndexFunc(here.Groups, func(g wire.Group) bool { return g.Name == m.Name })
	if i < 0 && len(here.Groups) >= wire.MaxGroups {
		c.socket.send(&wire.ErrorFrame{
			Code: wire.CodeInvalidArgument, Message: "in as many groups as one may be", ReqID: m.ReqID,
		})
		return nil
	}
	epoch, since := c.feed.standing()
	return c.change(ctx, presence.UpdateEvent{}, func(r *record) {
		r.Groups, r.Since = slices.Clone(r.Groups), maps.Clone(r.Since)
		joined := wire.Group{Name: m.Name, Role: m.Role}
		if i >= 0 {
			r.Groups[i] = joined
			return
		}
		r.Groups = append(r.Groups, joined)
		if r.Since == nil || r.Epoch != epoch {
			r.Since, r.Epoch = map[string]uint64{}, epoch
		}
		r.Since[m.Name] = since
	})
}

func (c *conn) leaveGroup(ctx context.Context, m *wire.LeaveGroup) error {
	return c.change(ctx, presence.UpdateEvent{}, func(r *record) {
		r.Groups = slices.DeleteFunc(slices.Clone(r.Groups), func(g wire.Group) bool { return g.Name == m.Name })
		r.Since = maps.Clone(r.Since)
		delete(r.Since, m.Name)
	})
}

// setStatus takes the peer's own word. A peer that becomes idle gets at once
// what was held back.
func (c *conn) setStatus(ctx context.Context, m *wire.SetStatus) error {
	st, err := c.server.presence.SetStatus(ctx, c.peer, &c.held, string(m.Status), presence.SourceManual)
	if err != nil {
		return err
	}
	c.box.setStatus(st)
	c.kick()
	return nil
}
