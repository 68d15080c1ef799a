package outbox

import (
	"context"
	"errors"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// Recipient is whom a target names.
type Recipient struct {
	Key  string // or "*" or "@group"
	Name string // for people
}

// Courier is what sending needs of a connection.
type Courier interface {
	Resolve(ctx context.Context, typed string) (Recipient, error)
	Send(ctx context.Context, m peer.Message) (peer.Receipt, error)
	Pubkey() string
}

// Send tries to send a message that waits. It returns what is stored of it
// afterwards, and why it could not be sent: an error of a message that still
// waits may pass.
func (s *Store) Send(ctx context.Context, c Courier, id string) (Entry, error) {
	e, err := s.Get(id)
	if err != nil || e.State != Waiting {
		return e, err
	}
	if time.Since(e.AcceptedAt) > GiveUp {
		return s.fail(id, errTooOld)
	}
	if e.To == "" {
		to, err := c.Resolve(ctx, e.Typed)
		if err != nil {
			return s.failed(ctx, id, err)
		}
		e.To, e.Name = to.Key, to.Name
	}
	// Who sent it, and to whom, is stored before it leaves: a receipt may come
	// before the ack.
	if e, err = s.Update(id, func(now *Entry) error {
		now.To, now.Name, now.From = e.To, e.Name, c.Pubkey()
		return nil
	}); err != nil || e.State != Waiting {
		return e, err
	}
	m := peer.Message{ID: e.ID, To: e.To, Typed: e.Typed, Text: e.Text, Priority: e.Priority, ReplyTo: e.ReplyTo}
	if e.Clear {
		m.Topic = &peer.TopicBody{}
	}
	sent, err := c.Send(ctx, m)
	if err != nil {
		return s.failed(ctx, id, err)
	}
	return s.Update(id, func(e *Entry) error {
		now := time.Now().UTC()
		e.State, e.MessageID, e.StoredAt, e.Text, e.Reason = Stored, sent.MessageID, &now, "", ""
		return nil
	})
}

// GaveUp says that an attempt ended with an error before the message was tried:
// it waits on, unless trying again would be in vain.
func (s *Store) GaveUp(ctx context.Context, id string, cause error) (Entry, error) {
	return s.failed(context.WithoutCancel(ctx), id, cause) // the cause, not the end of the wait, decides
}

var errTooOld = errors.New("it could not be sent for 23 hours")

// failed decides whether an error ends a message or only this attempt.
func (s *Store) failed(ctx context.Context, id string, cause error) (Entry, error) {
	if ctx.Err() == nil && Final(cause) {
		return s.fail(id, cause)
	}
	e, err := s.Update(id, func(e *Entry) error {
		if e.State == Waiting { // else another attempt has decided
			e.Reason = cause.Error()
		}
		return nil
	})
	return e, errors.Join(cause, err)
}

func (s *Store) fail(id string, cause error) (Entry, error) {
	e, err := s.Update(id, func(e *Entry) error {
		if e.State == Waiting {
			e.State, e.Reason, e.Text = Failed, cause.Error(), ""
		}
		return nil
	})
	return e, errors.Join(cause, err)
}

// passing are the errors after which sending again may do: the broker is away,
// busy or full.
var passing = []error{
	peer.ErrUnreachable, peer.ErrDisconnected, peer.ErrNoAck, peer.ErrNoAnswer, peer.ErrUnavailable, peer.ErrRateLimited,
	peer.ErrInboxFull, peer.ErrTooManyPending, peer.ErrReplaced, peer.ErrStopped, context.Canceled, context.DeadlineExceeded,
}

// Final reports whether sending again after err would be in vain.
func Final(err error) bool {
	if errors.Is(err, seal.ErrNoKey) {
		return true
	}
	var refused *peer.RefusedError
	if errors.As(err, &refused) && (refused.Code == wire.CodeUnavailable || refused.Code == wire.CodeRateLimited) {
		return false
	}
	for _, p := range passing {
		if errors.Is(err, p) {
			return false
		}
	}
	return true
}
