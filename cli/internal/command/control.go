package command

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/local"
	"github.com/claudemesh/claudemesh/cli/internal/mailbox"
	"github.com/claudemesh/claudemesh/cli/internal/outbox"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// What a running session does for the commands of its directory.
const (
	opSend          = "send"
	opPeers         = "peers"
	opInbox         = "inbox"
	opShown         = "shown"
	opMessageStatus = "message_status"
	opStatus        = "status"
	opSummary       = "summary"
	opJoinGroup     = "join_group"
	opLeaveGroup    = "leave_group"
	opLater         = "later"
	opAsk           = "ask"
)

// inboxHeld is how long messages are held for a command that takes them and
// does not say that it has shown them.
const inboxHeld = 10 * time.Second

type peersAnswer struct {
	Peers []wire.PeerInfo `json:"peers"`
}

type inboxAnswer struct {
	Messages []mailbox.Message `json:"messages"`
	Left     int               `json:"left"`
}

// postAnswer is a message that was accepted, and why it was not sent yet.
type postAnswer struct {
	Entry   outbox.Entry   `json:"entry"`
	Refusal *local.Refusal `json:"refusal,omitempty"`
}

// obey does what a command of this directory asks for.
func (h *host) obey(ctx context.Context, r local.Request) (any, error) {
	ctx, hangUp := h.reach.while(ctx)
	defer hangUp()
	answer, err := h.dispatch(ctx, r)
	if err != nil {
		return nil, h.refusal(err)
	}
	return answer, nil
}

func (h *host) dispatch(ctx context.Context, r local.Request) (any, error) {
	switch r.Op {
	case opSend:
		return withArgs(r, func(d draft) (any, error) { return h.obeySend(ctx, d) })
	case opLater:
		return withArgs(r, func(d laterDraft) (any, error) { return h.courier().later(ctx, d) })
	case opPeers:
		peers, err := h.client.ListPeers(ctx)
		return peersAnswer{peers}, err
	case opInbox:
		messages, left := h.box.Claim(20, 256<<10)
		time.AfterFunc(inboxHeld, func() { h.box.Release(messages) })
		return inboxAnswer{messages, left}, nil
	case opShown:
		return withArgs(r, func(keys []string) (any, error) {
			var messages []mailbox.Message
			for _, key := range keys {
				messages = append(messages, mailbox.Message{Key: key})
			}
			return nil, h.box.Shown(messages)
		})
	case opMessageStatus:
		return withArgs(r, func(id string) (any, error) { return h.messageStatus(ctx, id) })
	case opStatus:
		return withArgs(r, func(s wire.Status) (any, error) { return nil, h.setStatus(ctx, s) })
	case opSummary:
		return withArgs(r, func(s string) (any, error) { return nil, h.setSummary(ctx, s) })
	case opJoinGroup:
		return withArgs(r, func(g wire.Group) (any, error) { return nil, h.joinGroup(ctx, g) })
	case opAsk:
		return withArgs(r, func(q question) (any, error) { return h.obeyAsk(ctx, q) })
	case opLeaveGroup:
		return withArgs(r, func(name string) (any, error) { return nil, h.client.LeaveGroup(ctx, name) })
	}
	return nil, local.ErrUnknown
}

// withArgs decodes a request's arguments.
func withArgs[T any](r local.Request, f func(T) (any, error)) (any, error) {
	var args T
	if json.Unmarshal(r.Args, &args) != nil {
		return nil, local.ErrUnknown
	}
	return f(args)
}

func (h *host) obeySend(ctx context.Context, d draft) (any, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	e, err := h.post(ctx, d)
	if e.ID == "" {
		return nil, err
	}
	a := postAnswer{Entry: e}
	if err != nil {
		a.Refusal = h.refusal(err)
	}
	return a, nil
}

func (h *host) setStatus(ctx context.Context, s wire.Status) error {
	if !s.Valid() {
		return local.ErrUnknown
	}
	return h.client.SetStatus(ctx, s)
}

func (h *host) setSummary(ctx context.Context, s string) error {
	if len(s) > wire.MaxSummary {
		return ui.Usagef("a summary holds at most %d bytes", wire.MaxSummary).Hinted("say it shorter")
	}
	return h.client.SetSummary(ctx, s)
}

// refusal words an error for whoever asked.
func (h *host) refusal(err error) *local.Refusal {
	var refusal *local.Refusal
	if errors.As(err, &refusal) {
		return refusal
	}
	f := (&app{env: h.env, out: h.out, began: true}).explain(h.reach.why(err))
	return &local.Refusal{Message: f.Message, Hint: f.Hint, Code: f.Code}
}

// explainLocal words what a running session has refused.
func explainLocal(err error) *ui.Failure {
	var refusal *local.Refusal
	switch {
	case errors.As(err, &refusal):
		return &ui.Failure{Message: refusal.Message, Hint: refusal.Hint, Code: max(refusal.Code, ui.ExitFailed), Cause: err}
	case errors.Is(err, local.ErrNobody):
		return ui.Failf("no session runs for this directory, so there is no presence to change").
			Hinted("claudemesh listen; where it runs with --session NAME, give the same here").Coded(ui.ExitAway)
	case errors.Is(err, local.ErrGone):
		return ui.Failf("the running session went away").Hinted("try again")
	}
	return nil
}
