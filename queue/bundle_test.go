package queue

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/infra/redis"
	"github.com/claudemesh/claudemesh/infra/redistest"
)

// bundle is a queue on a server of its own, with a registry written by hand.
type bundle struct {
	tb     testing.TB
	server *redistest.Server
	c      *redis.Client
	q      *Queue
	mesh   string
}

const edgeA, edgeB = "edgeAAAAAAAA", "edgeBBBBBBBB"

func setup(tb testing.TB, conf ...string) *bundle {
	tb.Helper()
	server := redistest.Start(tb, conf...)
	return setupOn(tb, server, server.Client(tb))
}

func setupOn(tb testing.TB, server *redistest.Server, c *redis.Client) *bundle {
	b := &bundle{tb: tb, server: server, c: c, mesh: "Mesh00000000000000000000000000aa"}
	b.q = New(c, Options{
		MembersKey: b.key("members"), BansKey: b.key("bans"),
		SessionsKey: b.key("sessions"), GrantsKey: b.key("grants"),
	})
	return b
}

// key names a registry key as the registry does.
func (b *bundle) key(kind string) func(string) string {
	return func(mesh string) string { return kind + ":" + b.c.Tag(mesh) + ":" + mesh }
}

func (b *bundle) do(args ...any) any {
	b.tb.Helper()
	v, err := b.c.Raw().Do(context.WithoutCancel(b.tb.Context()), args...).Result()
	if err != nil && err.Error() != "redis: nil" {
		b.tb.Fatalf("%v: %v", args, err)
	}
	return v
}

// hexKey is a 64-digit key that starts with a readable name of hex digits. The
// f behind it keeps 1 and 10 apart.
func hexKey(name string) string { return name + "f" + strings.Repeat("0", 63-len(name)) }

// peer is a connection of a test.
type peer struct {
	b      *bundle
	sender Sender
	lease  Lease
	gen    string
	edge   string
	kind   Kind
}

// member enrols a member and returns a key-less connection of it.
func (b *bundle) member(name string) *peer {
	key := hexKey(name)
	b.do("HSET", b.key("members")(b.mesh), key, "{}")
	return b.connect(Sender{Peer: "m" + name, Member: key, Key: key}, KindMember, edgeA)
}

// session binds a session key to the member and returns its connection.
func (p *peer) session(name string) *peer {
	key := hexKey(name)
	p.b.do("HSET", p.b.key("sessions")(p.b.mesh), key, p.sender.Member+" 1767225600000")
	return p.b.connect(Sender{Peer: key, Member: p.sender.Member, Key: key}, KindSession, edgeA)
}

// claim returns a connection of the member that merely names a key.
func (p *peer) claim(name, id string) *peer {
	return p.b.connect(Sender{Peer: "c" + id, Member: p.sender.Member, Key: hexKey(name)}, KindClaim, edgeA)
}

func (b *bundle) connect(s Sender, kind Kind, edge string) *peer {
	p := &peer{b: b, sender: s, kind: kind, edge: edge, gen: "1767225600000000"}
	p.lease.Key = "lease:" + b.c.Tag(b.mesh) + ":" + b.mesh + ":" + s.Peer
	p.hold()
	return p
}

// hold takes the peer's lease under its present generation and edge.
func (p *peer) hold() {
	p.lease.Value = p.gen + "/" + p.edge + "/conn00000001"
	p.b.do("SET", p.lease.Key, p.lease.Value, "PX", 90_000)
}

// back is the same peer, reattached at edge with a newer generation.
func (p *peer) back(edge string) *peer {
	next := *p
	var n int64
	if _, err := fmt.Sscan(p.gen, &n); err != nil {
		p.b.tb.Fatal(err)
	}
	next.gen, next.edge = fmt.Sprint(n+1), edge
	next.hold()
	return &next
}

func (p *peer) direct(target, clientID, body string) Direct {
	return Direct{
		Mesh: p.b.mesh, Lease: p.lease, Sender: p.sender, Target: target, Lane: LaneNext,
		ClientID: clientID, Body: []byte(body),
	}
}

func (p *peer) reader(inbox string, rank int) Reader {
	return Reader{
		Mesh: p.b.mesh, Lease: p.lease, Inbox: inbox, Peer: p.sender.Peer, Member: p.sender.Member,
		Generation: p.gen, Edge: p.edge, Kind: p.kind, Rank: rank,
	}
}

// open makes the peer a candidate and reports whether it is the reader.
func (p *peer) open(inbox string, rank int) bool {
	p.b.tb.Helper()
	r, err := p.b.q.OpenReader(p.b.tb.Context(), p.reader(inbox, rank))
	if err != nil {
		p.b.tb.Fatal(err)
	}
	return r.Best
}

func (p *peer) close(inbox string) {
	p.b.tb.Helper()
	if err := p.b.q.CloseReader(p.b.tb.Context(), p.b.mesh, inbox, p.sender.Peer, p.gen); err != nil {
		p.b.tb.Fatal(err)
	}
}

// send must succeed.
func (p *peer) send(d Direct) Receipt {
	p.b.tb.Helper()
	r, err := p.b.q.Send(p.b.tb.Context(), d)
	if err != nil {
		p.b.tb.Fatal(err)
	}
	return r
}

// say sends a small message.
func (p *peer) say(target string) string {
	p.b.tb.Helper()
	return p.send(p.direct(target, "", `{"x":1}`)).MessageID
}

func (p *peer) ack(id string, inboxes ...string) bool {
	p.b.tb.Helper()
	ok, err := p.b.q.Ack(p.b.tb.Context(), p.b.mesh, p.lease, inboxes, id)
	if err != nil {
		p.b.tb.Fatal(err)
	}
	return ok
}

func (b *bundle) read(inbox string, lane Lane) []Entry {
	b.tb.Helper()
	out, err := b.q.Read(b.tb.Context(), b.mesh, inbox, lane, 0, 1_000_000, 1<<30)
	if err != nil {
		b.tb.Fatal(err)
	}
	return out
}

func ids(entries []Entry) []string {
	out := make([]string, len(entries))
	for i, e := range entries {
		out[i] = e.ID
	}
	return out
}

// headHash is the mesh's head, without what a send always leaves behind.
func (b *bundle) headHash() map[string]string {
	b.tb.Helper()
	h, err := b.c.Raw().HGetAll(b.tb.Context(), b.q.at(b.mesh).head()).Result()
	if err != nil {
		b.tb.Fatal(err)
	}
	delete(h, "iseq")
	delete(h, "kept")
	return h
}

// listen subscribes and returns a function that waits for the next bell.
func (b *bundle) listen(channel string) func() string {
	b.tb.Helper()
	sub := b.c.Raw().Subscribe(b.tb.Context(), channel)
	b.tb.Cleanup(func() { _ = sub.Close() })
	if _, err := sub.Receive(b.tb.Context()); err != nil {
		b.tb.Fatal(err)
	}
	return func() string {
		b.tb.Helper()
		ctx, cancel := context.WithTimeout(b.tb.Context(), 10*time.Second)
		defer cancel()
		m, err := sub.ReceiveMessage(ctx)
		if err != nil {
			b.tb.Fatalf("no bell on %s: %v", channel, err)
		}
		return m.Payload
	}
}

// eventually repeats f until it returns nil.
func eventually(tb testing.TB, f func() error) {
	tb.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	end := time.After(20 * time.Second)
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-end:
			tb.Fatal(err)
		}
	}
}
