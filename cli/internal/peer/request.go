package peer

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// ListPeers returns who is here.
func (c *Client) ListPeers(ctx context.Context) ([]wire.PeerInfo, error) {
	answer, err := request[*wire.PeersList](ctx, c, func(id wire.ReqID) wire.Message { return &wire.ListPeers{ReqID: id} })
	if err != nil {
		return nil, err
	}
	return answer.Peers, nil
}

// ListMembers returns who may come in. Older brokers do not answer it.
func (c *Client) ListMembers(ctx context.Context) ([]wire.MemberInfo, error) {
	answer, err := request[*wire.MembersList](ctx, c, func(id wire.ReqID) wire.Message { return &wire.ListMembers{ReqID: id} })
	if err != nil {
		return nil, err
	}
	return answer.Members, nil
}

// Sync returns once everything that waited for us when it was called has been
// handled. Older brokers do not answer it.
func (c *Client) Sync(ctx context.Context) error {
	_, err := request[*wire.Synced](ctx, c, func(id wire.ReqID) wire.Message { return &wire.Sync{ReqID: id} })
	return err
}

// SetStatus says what we are doing. Nothing is answered; the request after it
// tells that it went through.
func (c *Client) SetStatus(ctx context.Context, status wire.Status) error {
	return c.tell(ctx, &wire.SetStatus{Status: status})
}

// SetSummary says in words what we work on.
func (c *Client) SetSummary(ctx context.Context, summary string) error {
	return c.tell(ctx, &wire.SetSummary{Summary: summary})
}

// JoinGroup enters a group, or changes the role in it.
func (c *Client) JoinGroup(ctx context.Context, name, role string) error {
	return c.tell(ctx, &wire.JoinGroup{Name: name, Role: role})
}

// LeaveGroup leaves a group.
func (c *Client) LeaveGroup(ctx context.Context, name string) error {
	return c.tell(ctx, &wire.LeaveGroup{Name: name})
}

// SetTitle says in the profile what part we play. Other fields of it stay.
func (c *Client) SetTitle(ctx context.Context, title string) error {
	return c.tell(ctx, &wire.SetProfile{Profile: wire.Profile{Title: &title}})
}

// MessageStatus asks the broker what became of a message. Its word proves
// nothing; receipts do.
func (c *Client) MessageStatus(ctx context.Context, messageID string) (*wire.MessageStatusResult, error) {
	return request[*wire.MessageStatusResult](ctx, c, func(id wire.ReqID) wire.Message {
		return &wire.MessageStatus{MessageID: messageID, ReqID: id}
	})
}

// tell sends a frame that is not answered, and then asks for something that
// is: a broker handles the frames of a connection in order.
func (c *Client) tell(ctx context.Context, m wire.Message) error {
	frame, err := wire.Encode(m)
	if err != nil {
		return err
	}
	return c.tellFrame(ctx, frame)
}

func (c *Client) tellFrame(ctx context.Context, frame []byte) error {
	n, err := c.await(ctx)
	if err != nil {
		return err
	}
	n.put(frame)
	_, err = c.ListPeers(ctx)
	return err
}

// request sends what ask returns and waits for its answer.
func request[A wire.Message](ctx context.Context, c *Client, ask func(wire.ReqID) wire.Message) (A, error) {
	var none A
	m, err := c.exchange(ctx, c.t.request, func(id wire.ReqID) ([]byte, error) { return wire.Encode(ask(id)) })
	if err != nil {
		return none, err
	}
	return as[A](m)
}

// exchange sends the frame that is made for a request id, and waits for what
// answers it.
func (c *Client) exchange(
	ctx context.Context, patience time.Duration, frame func(wire.ReqID) ([]byte, error),
) (wire.Message, error) {
	n, err := c.await(ctx)
	if err != nil {
		return nil, err
	}
	id, answered := c.expect()
	defer c.unexpect(id)
	b, err := frame(id)
	if err != nil {
		return nil, err
	}
	n.put(b)
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-late.C:
		return nil, ErrNoAnswer
	case m, ok := <-answered:
		if !ok {
			return nil, ErrDisconnected
		}
		return m, nil
	}
}

// as returns m if it is an A, or the error that it is instead.
func as[A wire.Message](m wire.Message) (A, error) {
	switch m := m.(type) {
	case A:
		return m, nil
	case *wire.ErrorFrame:
		var none A
		return none, &RefusedError{Code: m.Code, Message: m.Message}
	}
	var none A
	return none, fmt.Errorf("%w: it sent %s instead", ErrNoAnswer, m.FrameType())
}

// expect makes a request id and the channel on which its answer arrives.
func (c *Client) expect() (wire.ReqID, <-chan wire.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastReq++
	id := wire.ReqID(strconv.FormatUint(c.lastReq, 10))
	answer := make(chan wire.Message, 1)
	c.waiting[id] = answer
	return id, answer
}

func (c *Client) unexpect(id wire.ReqID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, id)
}

// answer resolves a request, and reports whether anybody waited for it.
func (c *Client) answer(id wire.ReqID, m wire.Message) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	waiter, ok := c.waiting[id]
	if ok {
		waiter <- m
		delete(c.waiting, id)
	}
	return ok
}

// Do connects, calls f, and leaves. It returns f's error, or why the connection
// could not be kept while f waited for it.
func Do(ctx context.Context, c *Client, f func(context.Context) error) error {
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- c.Run(running) }()
	err := func() error {
		if _, err := c.await(ctx); err != nil {
			return err
		}
		return f(ctx)
	}()
	stop()
	if reason := <-ended; reason != nil && (err == nil || errors.Is(err, ErrDisconnected)) {
		return reason
	}
	return err
}
