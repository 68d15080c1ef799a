package edge

import (
	"context"
	"errors"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/queue"
)

// listPeers says who is here. Hidden peers are shown to their own member only.
func (c *conn) listPeers(ctx context.Context, m *wire.ListPeers) error {
	peers, err := c.peers(ctx)
	if err != nil {
		return err
	}
	c.socket.send(&wire.PeersList{Peers: peers, ReqID: m.ReqID})
	return nil
}

func (c *conn) peers(ctx context.Context) ([]wire.PeerInfo, error) {
	roster, err := c.server.presence.Roster(ctx, c.peer.Mesh)
	if err != nil {
		return nil, err
	}
	peers := make([]wire.PeerInfo, 0, len(roster))
	size := 0
	for i := range roster {
		size += len(roster[i].Record)
		p, ok := info(&roster[i])
		hidden := p.Visible != nil && !*p.Visible
		if ok && (!hidden || p.MemberPubkey == c.member.Key) {
			peers = append(peers, p)
		}
	}
	c.socket.limit.charge(size)
	return peers, nil
}

// memberBytes is about how long a member is in a list.
const memberBytes = 256

// listMembers says who may come in, and who of them is here.
func (c *conn) listMembers(ctx context.Context, m *wire.ListMembers) error {
	members, err := c.server.registry.Members(ctx, c.peer.Mesh)
	if err != nil {
		return err
	}
	peers, err := c.peers(ctx)
	if err != nil {
		return err
	}
	c.socket.limit.charge(memberBytes * len(members))
	online := map[string]bool{}
	for i := range peers {
		online[peers[i].MemberPubkey] = true
	}
	list := &wire.MembersList{Members: []wire.MemberInfo{}, ReqID: m.ReqID}
	for _, m := range members {
		if m.RevokedAt != nil {
			continue
		}
		list.Members = append(list.Members, wire.MemberInfo{
			MemberID: m.ID, Pubkey: m.Key, DisplayName: m.Name, Role: m.Role,
			JoinedAt: wire.At(m.JoinedAt), Online: online[m.Key],
		})
	}
	c.socket.send(list)
	return nil
}

// messageStatus says what became of a message.
func (c *conn) messageStatus(ctx context.Context, m *wire.MessageStatus) error {
	st, err := c.server.queue.Status(ctx, c.peer.Mesh, m.MessageID)
	switch {
	case errors.Is(err, queue.ErrNotFound):
		c.socket.send(&wire.ErrorFrame{Code: wire.CodeNotFound, Message: "message not found", ReqID: m.ReqID})
		return nil
	case errors.Is(err, queue.ErrInvalid):
		c.socket.send(&wire.ErrorFrame{Code: wire.CodeInvalidArgument, Message: "not a message id", ReqID: m.ReqID})
		return nil
	case err != nil:
		return err
	}
	peers, err := c.peers(ctx)
	if err != nil {
		return err
	}
	result := &wire.MessageStatusResult{
		MessageID: m.MessageID, TargetSpec: st.Target, Delivered: st.Delivered,
		Recipients: recipients(peers, &st), ReqID: m.ReqID,
	}
	if st.Delivered {
		at := wire.At(st.DeliveredAt)
		result.DeliveredAt = &at
	}
	c.socket.send(result)
	return nil
}

// recipients lists the present peers that a message is for, or one unknown if
// none of them is here.
func recipients(peers []wire.PeerInfo, st *queue.MessageStatus) []wire.Recipient {
	status := wire.RecipientHeld
	if st.Delivered {
		status = wire.RecipientDelivered
	}
	out := []wire.Recipient{}
	target := wire.ClassifyTarget(st.Target)
	for i := range peers {
		if isFor(&peers[i], target, st.Target) {
			out = append(out, wire.Recipient{Name: peers[i].DisplayName, Pubkey: peers[i].Pubkey, Status: status})
		}
	}
	if len(out) == 0 && target.Class == wire.ClassDirect {
		out = append(out, wire.Recipient{
			Name: "unknown", Pubkey: st.Target[:min(len(st.Target), 16)], Status: wire.RecipientDisconnected,
		})
	}
	return out
}

func isFor(p *wire.PeerInfo, target wire.Target, spec string) bool {
	switch target.Class {
	case wire.ClassBroadcast:
		return true
	case wire.ClassGroup:
		for _, g := range p.Groups {
			if wire.GroupMatches(g.Name, spec) {
				return true
			}
		}
	case wire.ClassDirect:
		return p.Pubkey == target.Name || p.MemberPubkey == target.Name
	case wire.ClassTopic, wire.ClassNobody:
	}
	return false
}
