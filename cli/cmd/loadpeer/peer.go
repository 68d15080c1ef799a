package main

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/edge/wire"
)

const (
	maxQueued = 1024 // messages of one peer that wait for their turn

	// retryEvery is how long a message rests that was neither acked nor refused.
	retryEvery = 200 * time.Millisecond

	// askWithin bounds a question to the broker, reconnecting included.
	askWithin = 30 * time.Second
)

// The ways to leave.
const (
	howGoodbye = "goodbye" // says so
	howAway    = "away"    // closes politely; the place is kept
	howVanish  = "vanish"  // is just gone
)

// A loadPeer is one session, over one client after the other.
type loadPeer struct {
	// Fixed by newPeer.
	host            *host
	name, url, mesh string
	memberID        string
	member, session ed25519.PrivateKey
	queue           chan command // messages to send, in order; never closed

	mu      sync.Mutex // guards the following
	runs    int
	current *run
	before  *run // the one that current took over from
	changed chan struct{}
}

// A run is one client of a peer.
type run struct {
	number int
	client *peer.Client
	stop   context.CancelCauseFunc

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

func (p *loadPeer) write(r record) {
	r.Peer = p.name
	p.host.out.write(r)
}

// start runs a new client. If one runs already, this one takes the session over.
func (p *loadPeer) start() {
	ctx, stop := context.WithCancelCause(p.host.ctx)
	p.mu.Lock()
	p.runs++
	r := &run{number: p.runs, stop: stop, conns: map[net.Conn]struct{}{}}
	r.client = p.newClient(r)
	p.before, p.current = p.current, r
	close(p.changed)
	p.changed = make(chan struct{})
	p.mu.Unlock()
	p.write(record{Kind: "started", Run: r.number})
	p.host.tasks.Go(func() {
		err := r.client.Run(ctx)
		stop(nil)
		p.write(record{Kind: "ended", Run: r.number, Err: text(err)})
	})
}

func (p *loadPeer) newClient(r *run) *peer.Client {
	return peer.New(peer.Options{
		URL: p.url, MeshID: p.mesh, MemberID: p.memberID, Member: p.member, Session: p.session,
		About: wire.About{
			DisplayName: p.name, SessionID: p.name, PID: 1, Cwd: "/", Hostname: "loadpeer", PeerType: "ai",
			WhileWorking: true,
		},
		GroupMode: func() wire.GroupMode { return wire.GroupPlain },
		Handle:    func(_ context.Context, d peer.Delivery) error { p.surfaced(r, d); return nil },
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return p.dial(ctx, r, network, addr)
		},
		Tap: func(m wire.Message) { p.heard(r, m) },
	})
}

// heard records what the broker says.
func (p *loadPeer) heard(r *run, m wire.Message) {
	switch m := m.(type) {
	case *wire.HelloAck:
		p.write(record{Kind: "greeted", Run: r.number, Edge: m.Edge, Resumed: m.Resumed, Resync: m.Resync, Cursor: m.Cursor})
	case *wire.Push:
		p.write(record{
			Kind: "push", Run: r.number, ID: m.ClientMessageID, Message: m.MessageID, From: m.SenderPubkey, Lane: string(m.Priority),
			Event: string(m.Event), About: about(m.EventData), Created: m.CreatedAt.UnixMilli(), Cursor: m.Cursor,
		})
	case *wire.Ack:
		if m.Queued {
			p.write(record{Kind: "acked", Run: r.number, ID: m.ID, Message: m.MessageID})
		}
	case *wire.Restarting:
		p.write(record{Kind: "restarting", Run: r.number})
	}
}

// surfaced records what the client hands to its program.
func (p *loadPeer) surfaced(r *run, d peer.Delivery) {
	p.write(record{
		Kind: "surfaced", Run: r.number, ID: d.ID, Message: d.MessageID, From: d.From, To: d.Target, Lane: string(d.Priority),
		Event: string(d.Event), About: about(d.Data), Created: d.CreatedAt.UnixMilli(), Err: text(d.Err),
	})
}

// about is the key that an event tells about.
func about(data json.RawMessage) string {
	var event struct {
		Pubkey string `json:"pubkey"`
	}
	if len(data) == 0 || json.Unmarshal(data, &event) != nil {
		return ""
	}
	return event.Pubkey
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// leave ends the current client.
func (p *loadPeer) leave(how string) error {
	p.mu.Lock()
	r := p.current
	p.mu.Unlock()
	if r == nil {
		return nil
	}
	p.write(record{Kind: "leaving", Run: r.number, Event: how})
	switch how {
	case howGoodbye:
		r.stop(nil)
	case howAway:
		r.stop(peer.ErrKeepPlace)
	case howVanish:
		r.cut()
		r.stop(peer.ErrKeepPlace)
	default:
		return fmt.Errorf("unknown way to leave: %q", how)
	}
	return nil
}

func (p *loadPeer) cut() {
	p.mu.Lock()
	r := p.current
	p.mu.Unlock()
	if r != nil {
		r.cut()
	}
}

// send queues a message, or sends it at once through the client that was taken
// over, to see whether that one still has a say.
func (p *loadPeer) send(c command) error {
	if c.Old {
		p.mu.Lock()
		before := p.before
		p.mu.Unlock()
		if before != nil {
			p.host.tasks.Go(func() {
				ctx, cancel := context.WithTimeout(p.host.ctx, askWithin)
				defer cancel()
				_, err := p.sendOnce(ctx, before, c)
				p.write(record{Kind: "forgone", Run: before.number, ID: c.ID, Err: text(err)})
			})
		}
		return nil
	}
	select {
	case p.queue <- c:
	default: // the broker is away, and enough waits for it already
		p.write(record{Kind: "unsent", ID: c.ID})
	}
	return nil
}

// sendAll sends one message after the other.
func (p *loadPeer) sendAll() {
	for {
		select {
		case <-p.host.ctx.Done():
			return
		case c := <-p.queue:
			p.deliver(c)
		}
	}
}

// deliver sends a message until it is acked, or refused for good.
func (p *loadPeer) deliver(c command) {
	for p.host.ctx.Err() == nil {
		r := p.running()
		if r == nil {
			return // the process ends
		}
		_, err := p.sendOnce(p.host.ctx, r, c)
		if err == nil {
			return
		}
		if refused(err) {
			p.write(record{Kind: "refused", Run: r.number, ID: c.ID, Err: err.Error()})
			return
		}
		p.rest(r)
	}
}

func (p *loadPeer) sendOnce(ctx context.Context, r *run, c command) (peer.Receipt, error) {
	sent := record{Kind: "send", Run: r.number, ID: c.ID, To: c.To, Lane: c.Lane}
	if c.Old {
		sent.Event = "old" // beside the others, so in no order with them
	}
	p.write(sent)
	return r.client.Send(ctx, peer.Message{ID: c.ID, To: c.To, Text: c.ID, Priority: wire.Lane(c.Lane)})
}

// refused reports whether sending again under the same id is pointless.
func refused(err error) bool {
	for _, passing := range []error{
		peer.ErrNoAck, peer.ErrUnavailable, peer.ErrRateLimited, peer.ErrTooManyPending, peer.ErrStopped,
		peer.ErrReplaced, peer.ErrDisconnected, peer.ErrUnreachable, context.Canceled,
	} {
		if errors.Is(err, passing) {
			return false
		}
	}
	var closed *peer.RefusedError // of the handshake: the next client may be let in
	return !errors.As(err, &closed)
}

// running returns the current client, waiting for one; nil when all ends.
func (p *loadPeer) running() *run {
	for {
		p.mu.Lock()
		r, changed := p.current, p.changed
		p.mu.Unlock()
		if r != nil {
			return r
		}
		select {
		case <-p.host.ctx.Done():
			return nil
		case <-changed:
		}
	}
}

// rest waits before a message is tried again: for a new client, if r has ended.
func (p *loadPeer) rest(r *run) {
	p.mu.Lock()
	changed := p.changed
	p.mu.Unlock()
	if p.running() != r {
		return
	}
	select {
	case <-p.host.ctx.Done():
	case <-changed:
	case <-time.After(retryEvery):
	}
}

func (p *loadPeer) roster() {
	ctx, cancel := context.WithTimeout(p.host.ctx, askWithin)
	defer cancel()
	r := p.running()
	if r == nil {
		return
	}
	peers, err := r.client.ListPeers(ctx)
	keys := make([]string, len(peers))
	for i, q := range peers {
		keys[i] = q.Pubkey
	}
	p.write(record{Kind: "roster", Run: r.number, Keys: keys, Err: text(err)})
}

func (p *loadPeer) sync() {
	ctx, cancel := context.WithTimeout(p.host.ctx, askWithin)
	defer cancel()
	r := p.running()
	if r == nil {
		return
	}
	p.write(record{Kind: "synced", Run: r.number, Err: text(r.client.Sync(ctx))})
}
