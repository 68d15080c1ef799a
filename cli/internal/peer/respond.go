package peer

import (
	"context"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// Respond sends a frame that answers what another peer has asked. Nothing comes
// back; without a connection it waits for one.
func (c *Client) Respond(ctx context.Context, m wire.Message) error {
	frame, err := wire.Encode(m)
	if err != nil {
		return err
	}
	n, err := c.await(ctx)
	if err != nil {
		return err
	}
	n.put(frame)
	return nil
}
