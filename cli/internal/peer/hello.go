package peer

import (
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// hello is the first frame of a connection. It is made anew each time: its
// signature is good for a minute.
func (c *Client) hello(now time.Time) wire.Message {
	about := c.o.About
	about.Cursor = c.Cursor()
	member := wire.PublicKey(c.o.Member)
	if c.o.Session == nil {
		h := &wire.Hello{
			MeshID: c.o.MeshID, MemberID: c.o.MemberID, Pubkey: member,
			About: about, Timestamp: wire.MillisAt(now),
		}
		h.Sign(c.o.Member)
		return h
	}
	session := wire.PublicKey(c.o.Session)
	h := &wire.SessionHello{
		MeshID: c.o.MeshID, ParentMemberID: c.o.MemberID, ParentMemberPubkey: member, SessionPubkey: session,
		ParentAttestation: wire.Attest(c.o.Member, session, now.Add(attestFor)),
		About:             about, Timestamp: wire.MillisAt(now),
	}
	h.Sign(c.o.Session)
	return h
}
