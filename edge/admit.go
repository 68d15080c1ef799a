package edge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/registry"
	"github.com/claudemesh/claudemesh/presence"
)

// admission is a handshake on its way: what its frame says, and what Redis
// knows about who says it.
type admission struct {
	kind    presence.Kind
	mesh    string
	key     string // the member key, as it is looked up
	session string // the session key, "" without one
	peer    string // its id
	about   wire.About
	resumes bool // it goes on with an attachment, whose record stays as it is

	began  time.Time // when bells began to be kept for it
	missed []note    // those bells, one of each word; guarded by arrivals.mu

	meshInfo registry.Mesh
	member   registry.Member
	saved    *record // of the member's last hello connection
	lastSeen time.Time
	grants   wire.Grants
}

// asRefusal is what the peer is told: its refusal, or that Redis is away.
func asRefusal(err error) *wire.Refusal {
	var r *wire.Refusal
	if errors.As(err, &r) {
		return r
	}
	return wire.RefuseUnavailable()
}

// hello handles a member connection's handshake.
func (s *Server) hello(ctx context.Context, k *socket, h *wire.Hello) error {
	now := time.Now()
	for _, check := range []func() *wire.Refusal{
		h.CheckKeys, func() *wire.Refusal { return h.Verify(now) }, h.CheckFields,
	} {
		if r := check(); r != nil {
			return r
		}
	}
	a := &admission{
		kind: presence.KindMember, mesh: h.MeshID, key: strings.ToLower(h.Pubkey),
		session: h.SessionPubkey, about: h.About,
	}
	a.peer = memberID(a.key, &a.about)
	if a.session != "" {
		a.kind, a.peer = presence.KindClaim, claimID(a.key, a.session)
	}
	s.arrivals.begin(a)
	defer s.arrivals.end(a)
	if r := s.lookUp(ctx, a, wire.RefuseUnauthorized); r != nil {
		return r
	}
	return s.admit(ctx, k, a)
}

// sessionHello handles a session connection's handshake.
func (s *Server) sessionHello(ctx context.Context, k *socket, h *wire.SessionHello) error {
	now := time.Now()
	for _, check := range []func() *wire.Refusal{
		h.CheckKeys, func() *wire.Refusal { return h.Verify(now) }, h.CheckFields,
	} {
		if r := check(); r != nil {
			return r
		}
	}
	a := &admission{
		kind: presence.KindSession, mesh: h.MeshID, key: h.ParentMemberPubkey,
		session: h.SessionPubkey, peer: h.SessionPubkey, about: h.About,
	}
	s.arrivals.begin(a)
	defer s.arrivals.end(a)
	if r := s.lookUp(ctx, a, wire.RefuseParentUnauthorized); r != nil {
		return r
	}
	if r := h.CheckParent(a.member.ID); r != nil {
		return r
	}
	if err := s.registry.BindSession(ctx, a.mesh, a.session, a.key); err != nil {
		return refusalOf(err, a, wire.RefuseParentUnauthorized)
	}
	return s.admit(ctx, k, a)
}

// lookUp asks the registry who this is, and what is remembered of it. The
// questions go out together, since none of them waits for another's answer.
func (s *Server) lookUp(ctx context.Context, a *admission, stranger func() *wire.Refusal) error {
	var besides errgroup.Group
	besides.Go(func() (err error) {
		a.grants, err = s.registry.Grants(ctx, a.mesh, a.key)
		return err
	})
	if a.kind != presence.KindSession {
		besides.Go(func() error { return s.remember(ctx, a) })
	}
	var err error
	a.meshInfo, a.member, err = s.registry.Admission(ctx, a.mesh, a.key)
	others := besides.Wait()
	if err != nil {
		return refusalOf(s.orLost(ctx, err, a.mesh), a, stranger)
	}
	return others
}

// remember reads what was kept of the member's last hello connection.
func (s *Server) remember(ctx context.Context, a *admission) error {
	saved, ok, err := s.presence.Saved(ctx, a.mesh, a.key)
	if err != nil || !ok {
		return err
	}
	r, err := decodeRecord(saved.Record)
	if err != nil {
		return nil // a record of another version: come as new
	}
	a.saved, a.lastSeen = &r, saved.LastSeen
	return nil
}

// refusalOf turns an error of a store into what the peer is told.
func refusalOf(err error, a *admission, stranger func() *wire.Refusal) error {
	switch {
	case errors.Is(err, registry.ErrRevoked), errors.Is(err, presence.ErrBanned):
		return wire.RefuseRevoked(a.meshInfo.DisplayName())
	case errors.Is(err, registry.ErrNotMember), errors.Is(err, registry.ErrNoMesh), errors.Is(err, presence.ErrNotMember):
		return stranger()
	case errors.Is(err, errMeshLost):
		return wire.RefuseMeshLost()
	case errors.Is(err, presence.ErrCapacity):
		return wire.RefuseCapacity()
	}
	return err
}

// admit takes the lease and brings the peer in. The order is what keeps
// promises: subscribe, then attach, then answer, then drain.
func (s *Server) admit(ctx context.Context, k *socket, a *admission) error {
	f, err := s.hub.open(ctx, a.mesh)
	if err != nil {
		return err
	}
	c := s.newConn(k, f, a)
	got, err := s.attach(ctx, c, a)
	if err != nil {
		s.hub.close(f)
		if errors.Is(err, presence.ErrCapacity) {
			s.metrics.hit(boundCapacity)
		}
		return refusalOf(err, a, wire.RefuseUnauthorized)
	}
	return s.enter(ctx, c, a, &got)
}

// enter answers a peer that has its lease, and lets it in.
func (s *Server) enter(ctx context.Context, c *conn, a *admission, got *presence.Attached) error {
	c.held = got.Held
	c.log = s.log.With("mesh", a.mesh, "peer", short(c.peer.ID), "conn", c.held.Conn)
	c.feed.add(c, got.Start, a.grants)
	missed := s.arrivals.end(a)
	c.socket.become(c) // from here on the socket's end lets the lease go
	s.metrics.sockets.Inc()
	c.log.InfoContext(ctx, "peer came", "kind", string(c.kind), "outcome", string(got.Outcome), "resume", a.resumes)
	if !a.resumes {
		if err := c.settleRecord(ctx, got, a); err != nil {
			return err
		}
	}
	c.box.setStatus(got.Stored.Status)
	if c.kind == presence.KindClaim && c.readsInboxes() {
		// From its hello_ack on, others may write to the key that it names. The
		// inboxes of proven keys need no reader to be written to.
		if err := c.openReaders(ctx); err != nil {
			return err
		}
	}
	c.socket.send(s.helloAck(c, a, got))
	c.catchUp(a, missed)
	s.applyPendingHook(c)
	c.start()
	s.arrived(c, got.Outcome)
	return nil
}

func (s *Server) newConn(k *socket, f *feed, a *admission) *conn {
	c := &conn{
		server: s, socket: k, feed: f, kind: a.kind, member: a.member, about: a.about,
		key:  a.member.Key,
		peer: presence.Peer{Mesh: a.mesh, ID: a.peer},
		log:  s.log,
	}
	if a.session != "" {
		c.key = a.session
	}
	now := time.Now()
	c.pongAt.set(now)
	c.boundAt.set(now)
	// Spread, so that a storm of arrivals is not followed by storms of pings.
	c.pingAt = now.Add(spread(s.cfg.PingEvery))
	c.renewAt = now.Add(spread(s.cfg.RenewEvery))
	c.box.eager = a.about.WhileWorking
	c.makeInboxes()
	return c
}

// claimID and memberID are identities that outlive sockets, as a proven session
// key does: hashes that other members cannot choose to collide with.
func claimID(member, session string) string { return "c" + digest(member, session) }

func memberID(member string, about *wire.About) string {
	return "m" + digest(member, about.SessionID, about.Hostname)
}

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "|")))
	return hex.EncodeToString(sum[:])[:40]
}

func short(id string) string { return id[:min(len(id), 12)] }

// attach takes the lease.
func (s *Server) attach(ctx context.Context, c *conn, a *admission) (presence.Attached, error) {
	r := freshRecord(c, a)
	c.record = r
	b, err := encodeRecord(&r)
	if err != nil {
		return presence.Attached{}, err
	}
	event, data, err := joinEvent(c, a, &r)
	if err != nil {
		return presence.Attached{}, err
	}
	return s.presence.Attach(ctx, presence.Attachment{
		Peer: c.peer, Member: c.member.Key, Key: c.key, Kind: c.kind, Edge: s.id, Conn: wire.NewID(wire.ShortID),
		Transient: a.about.Transient, Announce: !r.hidden(), Hello: a.kind != presence.KindSession,
		Everyone: a.kind == presence.KindSession,
		Record:   b, JoinEvent: string(event), JoinData: data,
		Known: c.feed.knows(c.peer.ID), Cursor: a.about.Cursor, Capacity: s.cfg.MaxConnectionsPerMesh, Epoch: wire.NewID(wire.EpochID),
	})
}

// joinEvent is what others are told when the peer was away.
func joinEvent(c *conn, a *admission, r *record) (wire.Event, []byte, error) {
	if a.about.Transient {
		return "", []byte("{}"), nil
	}
	event := wire.EventPeerJoined
	data := wire.PeerEvent{Name: r.DisplayName, Pubkey: c.key, Groups: r.Groups}
	if a.saved != nil {
		event = wire.EventPeerReturned
		at := wire.At(a.lastSeen)
		data.LastSeenAt = &at
		data.Summary = a.saved.lastSummary()
	}
	b, err := json.Marshal(data)
	if err != nil {
		return "", nil, fmt.Errorf("edge: encode event: %w", err)
	}
	return event, b, nil
}

// settleRecord takes over the stored record of a peer that has come back, with
// what its handshake refreshes. Groups, status and the rest are as they were.
func (c *conn) settleRecord(ctx context.Context, got *presence.Attached, a *admission) error {
	if got.Outcome == presence.Joined {
		c.setRecord(c.record)
		return nil
	}
	r, err := decodeRecord(got.Stored.Record)
	if err != nil {
		r = c.record // of another version: start afresh
	}
	r.Cwd = a.about.Cwd
	if a.about.DisplayName != "" {
		r.DisplayName = a.about.DisplayName
	}
	if a.kind == presence.KindSession {
		r.SessionID = a.about.SessionID
	}
	r.ConnectedAt = wire.At(got.Stored.ConnectedAt)
	b, err := encodeRecord(&r)
	if err != nil {
		return err
	}
	c.setRecord(r)
	if string(b) == string(got.Stored.Record) {
		return nil
	}
	_, err = c.server.presence.Update(ctx, c.held, b, presence.UpdateEvent{})
	return err
}

// helloAck admits the peer.
func (s *Server) helloAck(c *conn, a *admission, got *presence.Attached) *wire.HelloAck {
	r := c.copyRecord()
	resumed := got.Outcome != presence.Joined
	ack := &wire.HelloAck{
		PresenceID: presenceID(c.peer), MemberDisplayName: r.DisplayName,
		Resumed: resumed, Cursor: got.Start.String(), Resync: got.Resync,
		LeaseMs: s.cfg.LeaseTTL.Milliseconds(), Edge: s.id, GroupPolicy: a.meshInfo.GroupPolicy,
		ResumeToken: c.resumeToken(a),
	}
	if p := a.meshInfo.SelfEditable; p != nil {
		ack.MeshPolicy = &wire.MeshPolicy{SelfEditable: wire.SelfEditable(*p)}
	}
	if a.kind != presence.KindSession || !resumed {
		ack.MemberProfile = profileOf(&a.member)
	}
	if a.kind != presence.KindSession {
		ack.Services = []wire.Service{}
		restore(ack, a)
	}
	return ack
}

// restore tells a hello connection what is remembered of its member.
func restore(ack *wire.HelloAck, a *admission) {
	if a.saved == nil {
		return
	}
	ack.Restored = true
	at := wire.At(a.lastSeen)
	ack.LastSeenAt = &at
	ack.LastSummary = a.saved.lastSummary()
	ack.RestoredStats = a.saved.totals()
	if len(a.about.Groups) == 0 && len(a.saved.Groups) > 0 {
		ack.RestoredGroups = a.saved.Groups
	}
}

func profileOf(m *registry.Member) *wire.MemberProfile {
	p := &wire.MemberProfile{Groups: groupsOf(m), MessageMode: m.MessageMode}
	if m.RoleTag != "" {
		p.RoleTag = &m.RoleTag
	}
	return p
}

func groupsOf(m *registry.Member) []wire.Group {
	groups := make([]wire.Group, len(m.Groups))
	for i, g := range m.Groups {
		groups[i] = wire.Group(g)
	}
	return groups
}

// presenceID is how the wire names a presence: the same after every reattach.
func presenceID(p presence.Peer) string { return digest(p.Mesh, p.ID)[:wire.LongID] }
