package peer

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/receipt"
	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// Options say who connects where, and what happens with what arrives.
type Options struct {
	URL      string // of the broker, ws or wss
	MeshID   string
	MemberID string
	Member   ed25519.PrivateKey
	Session  ed25519.PrivateKey // nil: connect as the member itself
	Root     *seal.Key          // nil: groups cannot be sealed or opened
	About    wire.About         // its cursor is the first one named

	// GroupMode says how groups are written to now. Nil means sealed.
	GroupMode func() wire.GroupMode
	// Policy is told each group policy that the broker hands out, before
	// anything is sent on that connection. It verifies and pins it.
	Policy func(*wire.GroupPolicy)
	// Handle takes what arrives, one at a time and in order. What it returns an
	// error for counts as not arrived, and ends Run with that error. Nil leaves
	// everything where it waits.
	Handle func(context.Context, Delivery) error
	// Receipts takes what recipients say about messages of ours; from is the key
	// that sealed it. They are not verified: the caller knows what it has sent. It
	// is called like Handle, but also where Handle is nil. Nil drops them.
	Receipts func(ctx context.Context, from string, receipts []receipt.Receipt) error
	// Frame takes what the broker says that is neither a message nor an answer,
	// such as state_change and stream_data: one at a time and in order with the
	// messages, but once only and never again. Nil drops them.
	Frame func(context.Context, wire.Message) error
	// TopicKey returns the key of a topic, or nil. It may take a moment to ask for
	// it, and must not wait for pushes. Nil opens what was said in clear only.
	TopicKey func(ctx context.Context, topicID string) *seal.Key
	// Greeted, if set, is told of each connection once requests can be made. It
	// must not wait.
	Greeted func(*wire.HelloAck)
	// MaxFailures ends Run after that many vain attempts in a row to connect.
	// Zero means never.
	MaxFailures int
	// Retry, if set, is told why a connection ended and when the next is tried.
	Retry func(reason error, wait time.Duration)
	// Dial, if set, opens the connections in place of the net package.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Tap, if set, is shown each frame of the broker before it is acted on. It
	// must neither wait nor change anything.
	Tap func(wire.Message)
	Log *slog.Logger // nil: discarded
}

// timing are the waits of a client, shortened in tests.
type timing struct {
	dial      time.Duration // TCP, TLS and upgrade
	hello     time.Duration // until hello_ack
	request   time.Duration // until an answer
	relayed   time.Duration // until an answer that another peer gives
	ack       time.Duration // until the ack of a send, while connected
	write     time.Duration // one frame
	ping      time.Duration // between our pings
	silence   time.Duration // gives up a connection: half of the lease is then left
	backoff   time.Duration // first upper bound of the wait before reconnecting
	backoffTo time.Duration // last one
	steady    time.Duration // a connection that lasted this long was a good one
	farewell  time.Duration // for the broker to close after a goodbye
}

var usual = timing{
	dial: 10 * time.Second, hello: 5 * time.Second, request: 10 * time.Second, relayed: 35 * time.Second, ack: 10 * time.Second,
	write: 10 * time.Second, ping: 15 * time.Second, silence: 45 * time.Second,
	backoff: time.Second, backoffTo: 30 * time.Second, steady: 5 * time.Second, farewell: time.Second,
}

const (
	attestFor  = 12 * time.Hour // an attestation is made anew for every connection
	maxPending = 256            // sends that wait for a connection or an ack
	maxQueued  = 256            // pushes that wait for the handler
	maxSeen    = 4096           // ids remembered to recognise repeats

	maxUnwritten = 2 * maxQueued // frames that wait for the writer
)

// Client is one peer's connection to its mesh, across reconnects. Its methods
// may be called from several goroutines, but not from Options.Handle or
// Options.Receipts.
type Client struct {
	// Fixed by New.
	o    Options
	t    timing
	log  *slog.Logger
	self map[string]bool // our own keys

	// Owned by the deliver loop of the current connection.
	seen *seen

	mu      sync.Mutex // guards the following
	live    *conn      // admitted by the broker, or nil
	changed chan struct{}
	ack     *wire.HelloAck // the last one
	cursor  string
	token   string      // what the next connection resumes with; empty: it says hello
	pending []*outgoing // in the order of their sends
	waiting map[wire.ReqID]chan wire.Message
	lastReq uint64
	ended   error // why Run returned, once it did
}

// New returns a client, which does nothing before [Client.Run].
func New(o Options) *Client {
	c := &Client{
		o: o, t: usual, log: o.Log, seen: newSeen(maxSeen), cursor: o.About.Cursor,
		self:    map[string]bool{wire.PublicKey(o.Member): true},
		changed: make(chan struct{}), waiting: make(map[wire.ReqID]chan wire.Message),
	}
	if o.Session != nil {
		c.self[wire.PublicKey(o.Session)] = true
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	return c
}

// ErrStopped ends what waits when Run returns without an error.
var ErrStopped = errors.New("peer: stopped")

// Run keeps a connection until ctx ends, and then returns nil; or until coming
// back would be wrong, and then returns the reason. A context cancelled with
// [ErrKeepPlace] ends without a goodbye.
func (c *Client) Run(ctx context.Context) error {
	err := c.run(ctx)
	c.end(err)
	return err
}

func (c *Client) run(ctx context.Context) error {
	for failures := 0; ; {
		out := c.connect(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case final(out.err):
			return out.err
		case out.lasted >= c.t.steady:
			failures = 0
		default:
			failures++
		}
		if c.o.MaxFailures > 0 && failures >= c.o.MaxFailures {
			return fmt.Errorf("%w: %w", ErrUnreachable, out.err)
		}
		wait := c.pause(failures, out)
		c.log.InfoContext(ctx, "connection ended", "err", out.err, "wait", wait)
		if c.o.Retry != nil {
			c.o.Retry(out.err, wait)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// outcome is how a connection ended.
type outcome struct {
	err    error
	lasted time.Duration // since the broker admitted us; 0 if it did not
	back   time.Time     // when the broker asked us to come back, if it did
}

// pause is how long to wait before the next attempt. A broker that restarts
// spreads its peers itself; otherwise chance does.
func (c *Client) pause(failures int, out outcome) time.Duration {
	if !out.back.IsZero() {
		return max(0, time.Until(out.back))
	}
	limit := c.t.backoff << min(max(failures-1, 0), 10)
	return rand.N(min(limit, c.t.backoffTo))
}

// Pubkey returns the key that the broker reports as our senderPubkey.
func (c *Client) Pubkey() string { return wire.PublicKey(c.signer()) }

// Cursor returns the place in the journal up to which everything was handled.
func (c *Client) Cursor() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cursor
}

func (c *Client) setCursor(cursor string) {
	if cursor == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cursor = cursor
}

// Admitted waits for a connection and returns the broker's greeting.
func (c *Client) Admitted(ctx context.Context) (*wire.HelloAck, error) {
	if _, err := c.await(ctx); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ack, nil
}

// await returns the live connection, waiting for one.
func (c *Client) await(ctx context.Context) (*conn, error) {
	for {
		c.mu.Lock()
		live, changed, ended := c.live, c.changed, c.ended
		c.mu.Unlock()
		switch {
		case ended != nil:
			return nil, ended
		case live != nil:
			return live, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-changed:
		}
	}
}

// attach makes n the connection that sends go through.
func (c *Client) attach(n *conn, ack *wire.HelloAck) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live, c.ack = n, ack
	c.wake()
	n.kick()
}

// detach forgets n. Requests that wait for an answer from it fail; sends wait
// for the next connection.
func (c *Client) detach(n *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live != n {
		return
	}
	c.live = nil
	c.wake()
	for id, answer := range c.waiting {
		close(answer)
		delete(c.waiting, id)
	}
}

// end fails everything that still waits.
func (c *Client) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		err = ErrStopped
	}
	c.ended = err
	c.wake()
	for _, p := range c.pending {
		p.finish(wire.Ack{}, err)
	}
	c.pending = nil
}

// wake tells everybody who waits for a change. The caller holds mu.
func (c *Client) wake() {
	close(c.changed)
	c.changed = make(chan struct{})
}
