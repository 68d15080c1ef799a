package share

import (
	"context"
	"fmt"

	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// Asker sends a request to the broker and returns what answers it. A refusal is
// a [*peer.RefusedError], a change of unknown outcome [peer.ErrUncertain].
type Asker interface {
	Ask(context.Context, wire.Request) (wire.Message, error)
}

// Ask asks for an answer of type A.
func Ask[A wire.Message](ctx context.Context, a Asker, r wire.Request) (A, error) {
	var none A
	m, err := a.Ask(ctx, r)
	if err != nil {
		return none, err
	}
	answer, ok := m.(A)
	if !ok {
		return none, fmt.Errorf("%w: it sent %s instead", peer.ErrNoAnswer, m.FrameType())
	}
	return answer, nil
}

// Do asks for something that has no answer but that it was done.
func Do(ctx context.Context, a Asker, r wire.Request) error {
	_, err := a.Ask(ctx, r)
	return err
}
