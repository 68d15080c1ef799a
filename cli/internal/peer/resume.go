package peer

import (
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// opening is the first frame of a connection: a resume where the broker has
// given us what it takes, else a whole handshake.
func (c *Client) opening(now time.Time) (frame wire.Message, resumes bool) {
	c.mu.Lock()
	token := c.token
	c.mu.Unlock()
	if token == "" {
		return c.hello(now), false
	}
	r := &wire.Resume{Token: token, Timestamp: wire.MillisAt(now), Cursor: c.Cursor()}
	r.Sign(c.o.MeshID, c.signer())
	return r, true
}

// setToken keeps what the next connection begins with. Each greeting brings a
// token of its own, and the one before it has served.
func (c *Client) setToken(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token = token
}

// refusesResume reports whether an error frame asks for a whole handshake on
// the same connection. A broker that is older than the one that gave the token
// does not know the frame, and says that nobody has said hello.
func refusesResume(m *wire.ErrorFrame) bool {
	return m.Code == wire.CodeResumeRefused || m.Code == wire.CodeNoHello
}
