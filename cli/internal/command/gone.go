package command

import (
	"errors"

	"github.com/claudemesh/claudemesh/cli/internal/peer"
)

// gone reports whether an error says only that the connection was lost.
func gone(err error) bool {
	return errors.Is(err, peer.ErrDisconnected) || errors.Is(err, peer.ErrUncertain) || errors.Is(err, peer.ErrNoAnswer)
}
