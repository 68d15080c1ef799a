package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/identity"
	"github.com/claudemesh/claudemesh/cli/internal/local"
	"github.com/claudemesh/claudemesh/cli/internal/mailbox"
	"github.com/claudemesh/claudemesh/cli/internal/outbox"
	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/receipt"
	"github.com/claudemesh/claudemesh/edge/wire"
	"golang.org/x/sync/errgroup"
)

// host is a session that this process speaks for: its key, its connection, what
// it was sent and what it sends. listen and mcp keep one; some one-shot
// commands borrow it for a moment.
type host struct {
	*app
	m       *membership
	session *identity.Session
	box     *mailbox.Box
	posts   *outbox.Store
	client  *peer.Client
	keys    *keyring

	reach *reach // of the broker

	sending chan struct{} // held by whoever sends, so that messages keep their order
	posted  chan struct{} // something waits to be sent
}

// openHost takes the session with that id.
func (a *app) openHost(m *membership, id string) (*host, error) {
	session, err := m.store.OpenSession(m.mesh.Slug, id)
	if err != nil {
		return nil, err
	}
	h := &host{app: a, m: m, session: session, sending: make(chan struct{}, 1), posted: make(chan struct{}, 1)}
	h.keys, h.reach = newKeyring(), newReach()
	dir := filepath.Join(m.store.Dir(), "mailbox", m.mesh.MeshID)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, errors.Join(fmt.Errorf("mailbox: %w", err), session.Close())
	}
	if h.box, err = mailbox.Open(filepath.Join(dir, id+".log")); err != nil {
		return nil, errors.Join(err, session.Close())
	}
	if h.posts, err = outbox.Open(m.store.Dir(), m.mesh.MeshID); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

func (h *host) close() error { return errors.Join(h.box.Close(), h.session.Close()) }

// options are those of the session's connection. What arrives goes into the
// mailbox, and events to the caller.
func (h *host) options(about wire.About, event func(context.Context, peer.Delivery) error) (peer.Options, error) {
	about.SessionID, about.Cursor = h.session.ID, h.session.Cursor(h.m.mesh.MeshID)
	o, err := h.m.options(about)
	if err != nil {
		return o, err
	}
	o.Session = h.session.Key
	o.TopicKey = h.keys.get
	o.Greeted = func(*wire.HelloAck) {
		h.reach.up()
		signalTo(h.keys.look)
	}
	say := h.retrying(unreachableWords)
	o.Retry = func(reason error, wait time.Duration) {
		h.reach.down(reason)
		say(reason, wait)
	}
	o.Handle = func(ctx context.Context, d peer.Delivery) error {
		if d.Event != "" {
			return event(ctx, d)
		}
		_, err := h.box.Add(ctx, newMail(d))
		return err
	}
	o.Receipts = func(_ context.Context, _ string, receipts []receipt.Receipt) error {
		return h.posts.Receive(h.m.mesh.MeshID, receipts)
	}
	return o, nil
}

// newMail is a message as the mailbox keeps it.
func newMail(d peer.Delivery) mailbox.Message {
	m := mailbox.Message{
		Key: d.Key(), MessageID: d.MessageID, ID: d.ID, From: d.From, Member: d.Member, Name: d.Name, To: d.To,
		Target: d.Target, ReplyTo: d.ReplyTo, Text: d.Text, Priority: d.Priority, CreatedAt: d.CreatedAt, Verified: d.Verified,
	}
	if d.Webhook != "" {
		m.Kind = mailbox.Webhook
	}
	if d.Err != nil {
		m.Error = unopened(d.Err)
	}
	return m
}

// fromMail is what show takes.
func fromMail(m mailbox.Message) peer.Delivery {
	d := peer.Delivery{
		MessageID: m.MessageID, ID: m.ID, From: m.From, Member: m.Member, Name: m.Name, To: m.To, Target: m.Target,
		ReplyTo: m.ReplyTo, Text: m.Text, Priority: m.Priority, CreatedAt: m.CreatedAt, Verified: m.Verified,
	}
	if m.Kind == mailbox.Webhook {
		d.Webhook, d.Data = m.Name, []byte(m.Text)
	}
	if m.Error != "" {
		d.Err = errors.New(m.Error)
	}
	return d
}

// errEnded ends a group of loops because one of them is through.
var errEnded = errors.New("ended")

// run keeps the session: its connection, its socket, its cursor, and what it
// owes others, until ctx ends or one of the loops does. The client learns the
// cause of the end, which says how to leave.
func (h *host) run(ctx context.Context, server *local.Server, more ...func(context.Context) error) error {
	mesh, err := h.m.sharedMesh(h.client)
	if err != nil {
		return err
	}
	h.keys.mesh = mesh
	g, side := errgroup.WithContext(ctx)
	running, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(side, func() { cancel(context.Cause(side)) })()
	g.Go(func() error {
		if err := h.client.Run(running); err != nil {
			return err
		}
		return errEnded
	})
	loops := append([]func(context.Context) error{
		func(ctx context.Context) error { return server.Serve(ctx, h.obey) },
		func(ctx context.Context) error { return keepCursor(ctx, h.m.mesh.MeshID, h.session, h.client) },
		h.keys.run,
		h.sendPosts,
		h.sendReceipts,
	}, more...)
	for _, loop := range loops {
		g.Go(func() error { return loop(side) })
	}
	if err := g.Wait(); !errors.Is(err, errEnded) && context.Cause(ctx) == nil {
		return err
	}
	return nil
}

// serve opens the session's socket, also under the name of its directory.
func (h *host) serve() (*local.Server, error) {
	path, err := h.m.store.SocketPath(h.m.mesh.Slug, h.session.ID)
	if err != nil {
		return nil, err
	}
	server, err := local.Listen(path)
	if err != nil {
		return nil, err
	}
	shared, err := h.m.store.SocketPath(h.m.mesh.Slug, identity.SessionID(h.env.Dir, ""))
	if err == nil {
		err = server.Also(shared)
	}
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	return server, nil
}

// borrow connects as the session for a moment, seen by nobody, and calls f once
// everything that waited has been put into the mailbox. Receipts come along.
func (h *host) borrow(ctx context.Context, f func(context.Context) error) error {
	skip := func(_ context.Context, d peer.Delivery) error {
		if d.Event == wire.EventResync {
			return h.show(d)
		}
		return nil // who came and went is no message
	}
	o, err := h.options(wire.About{Cwd: h.env.Dir, Transient: true}, skip)
	if err != nil {
		return err
	}
	o.MaxFailures, o.Retry = dialTries, nil
	h.client = peer.New(o)
	if h.keys.mesh, err = h.m.sharedMesh(h.client); err != nil {
		return err
	}
	defer h.keys.inBackground(ctx)()
	arrived := h.out.Busy("waiting for the broker of " + h.m.mesh.Slug)
	defer arrived()
	err = peer.Do(ctx, h.client, func(ctx context.Context) error {
		if err := drain(ctx, h.client); err != nil {
			return err
		}
		arrived()
		return f(ctx)
	})
	if cursor := h.client.Cursor(); cursor != "" {
		err = errors.Join(err, h.session.SaveCursor(h.m.mesh.MeshID, cursor))
	}
	return err
}

// sessionIDs are the sessions that a command of this directory may mean, the
// likeliest first.
func (a *app) sessionIDs(flag string) []string {
	if flag != "" {
		return []string{identity.SessionID(a.env.Dir, flag)}
	}
	var ids []string
	for _, name := range []string{EnvSession, "CLAUDE_SESSION_ID", "CLAUDE_CODE_SESSION_ID"} {
		if value := a.env.Getenv(name); value != "" {
			ids = append(ids, identity.SessionID(a.env.Dir, value))
		}
	}
	return append(ids, identity.SessionID(a.env.Dir, ""))
}

// ask has the running session of this directory do something. It returns
// [local.ErrNobody] when there is none.
func (a *app) ask(ctx context.Context, m *membership, flag, op string, args, result any) error {
	err := local.ErrNobody
	for _, id := range a.sessionIDs(flag) {
		path, pathErr := m.store.SocketPath(m.mesh.Slug, id)
		if pathErr != nil {
			return pathErr
		}
		if err = local.Call(ctx, path, op, args, result); !errors.Is(err, local.ErrNobody) {
			break
		}
	}
	return err
}

// waitFor polls until check holds. What it looks at is changed by other
// processes as well.
func waitFor(ctx context.Context, check func() (bool, error)) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if done, err := check(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
