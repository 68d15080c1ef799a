package command

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/claudemesh/claudemesh/cli/internal/local"
	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

// question is a request that a command has its session ask: a frame without
// _reqId. Without a frame it only asks whether the session would.
type question struct {
	Frame json.RawMessage `json:"frame,omitempty"`
}

// reply is the frame that answered it, which may be an error.
type reply struct {
	Frame json.RawMessage `json:"frame"`
}

// ownAffairs are requests that only the session itself makes: they are about its
// messages, its presence and its connection.
var ownAffairs = map[wire.Type]bool{
	wire.TypeHello: true, wire.TypeSessionHello: true, wire.TypeResume: true, wire.TypeSend: true, wire.TypeMessageStatus: true,
	wire.TypeSync: true, wire.TypeGoodbye: true, wire.TypeSetVisible: true, wire.TypeSetProfile: true,
}

// askable is m as a request that a session makes for others.
func askable(m wire.Message) (wire.Request, bool) {
	r, ok := m.(wire.Request)
	return r, ok && r.RequestID() == "" && !ownAffairs[m.FrameType()]
}

// obeyAsk asks the broker what a command of this directory wants to know. The
// broker's refusal is an answer like any other.
func (h *host) obeyAsk(ctx context.Context, q question) (any, error) {
	if len(q.Frame) == 0 {
		return reply{}, nil
	}
	m, err := wire.Decode(q.Frame)
	if err != nil {
		return nil, local.ErrUnknown
	}
	r, ok := askable(m)
	if !ok {
		return nil, local.ErrUnknown
	}
	answer, err := h.client.Ask(ctx, r)
	var refused *peer.RefusedError
	if errors.As(err, &refused) {
		answer, err = &wire.ErrorFrame{Code: refused.Code, Message: refused.Message}, nil
	}
	if err != nil {
		return nil, err
	}
	frame, err := wire.Encode(answer)
	return reply{frame}, err
}

// sessionAsker asks through the session that runs in this directory.
type sessionAsker struct {
	a       *app
	m       *membership
	session string
}

// Ask implements share.Asker.
func (s sessionAsker) Ask(ctx context.Context, r wire.Request) (wire.Message, error) {
	frame, err := wire.Encode(r)
	if err != nil {
		return nil, err
	}
	var got reply
	if err := s.a.ask(ctx, s.m, s.session, opAsk, question{frame}, &got); err != nil {
		return nil, err
	}
	m, err := wire.DecodeFromEdge(got.Frame)
	if err != nil {
		return nil, err
	}
	if refusal, ok := m.(*wire.ErrorFrame); ok {
		return nil, &peer.RefusedError{Code: refusal.Code, Message: refusal.Message}
	}
	return m, nil
}

// sharing are the flags of a verb that deals with what a mesh shares.
type sharing struct {
	*app
	session string
	clear   bool
}

// sub is c with --session, and with --clear as well if it writes.
func (o *sharing) sub(c *cobra.Command, writes bool) *cobra.Command {
	o.addFlags(c, writes)
	return c
}

func (o *sharing) addFlags(c *cobra.Command, writes bool) {
	addSessionFlag(c, &o.session)
	if writes {
		c.Flags().BoolVar(&o.clear, "clear", false, "leave it unsealed, so that existing clients can read it; so can the broker")
	}
}

// shared calls f with what the mesh shares: through the session that runs in
// this directory, so that what f does is the session's doing, else over a
// connection of its own, as the member and unseen.
func (o *sharing) shared(ctx context.Context, f func(context.Context, *share.Mesh) error) error {
	m, err := o.chosen()
	if err != nil {
		return err
	}
	return o.asking(ctx, m, func(ctx context.Context, asker share.Asker) error {
		mesh, err := m.sharedMesh(asker)
		if err != nil {
			return err
		}
		mesh.Clear = mesh.Clear || o.clear
		err = f(ctx, mesh)
		if errors.Is(err, seal.ErrNoKey) {
			return ui.Failf("this mesh's root key is not on this machine, so nothing can be sealed for it").
				Hinted("ask for an invite made without --no-key, and claudemesh join LINK again")
		}
		return err
	})
}

// asking calls f with whoever asks: the session of this directory, or a
// connection for the moment.
func (o *sharing) asking(ctx context.Context, m *membership, f func(context.Context, share.Asker) error) error {
	ctx, cancel := context.WithTimeout(ctx, onceTimeout)
	defer cancel()
	err := o.ask(ctx, m, o.session, opAsk, question{}, nil)
	var refusal *local.Refusal
	switch {
	case err == nil:
		return f(ctx, sessionAsker{o.app, m, o.session})
	case errors.Is(err, local.ErrNobody), errors.As(err, &refusal) && refusal.Message == local.ErrUnknown.Message:
		return m.once(ctx, o.env.Dir, func(ctx context.Context, c *peer.Client) error { return f(ctx, c) })
	}
	return err
}

// sharedMesh is what the mesh shares, for this member. It is written in clear
// where the owner has groups written so.
func (m *membership) sharedMesh(asker share.Asker) (*share.Mesh, error) {
	member, err := m.mesh.MemberKey()
	if err != nil {
		return nil, err
	}
	root, err := m.mesh.Root()
	if err != nil {
		return nil, err
	}
	return &share.Mesh{
		Asker: asker, ID: m.mesh.MeshID, Member: member, Root: root, Clear: m.groupMode() == wire.GroupPlain,
	}, nil
}
