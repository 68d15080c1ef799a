package queue

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
)

// Lane is the priority under which a message waits.
type Lane string

// The lanes, most urgent first. A recipient that works is only given LaneNow.
const (
	LaneNow  Lane = "now"
	LaneNext Lane = "next"
	LaneLow  Lane = "low"
)

// Lanes lists all lanes, most urgent first.
func Lanes() []Lane { return []Lane{LaneNow, LaneNext, LaneLow} }

func (l Lane) valid() bool { return l == LaneNow || l == LaneNext || l == LaneLow }

// Sender is who sends: the connection's PEER, its member key, and the key under
// which others see it (its session key, or the member key when it has none).
type Sender struct{ Peer, Member, Key string }

// Direct is a message to one key.
type Direct struct {
	Mesh   string
	Lease  Lease
	Sender Sender

	// Target is a member key, a session key, or a key that a present connection
	// claims.
	Target string
	Lane   Lane

	// ClientID makes the send idempotent; empty means it is not. Fingerprint
	// tells apart different requests under one id; an absent fingerprint
	// differs from every present one.
	ClientID    string
	Fingerprint string

	// Body is a JSON object's text. It is stored and handed on as it is.
	Body []byte
}

// Post is a message to a whole mesh ("*"), to a group ("@name") or to a topic.
type Post struct {
	Mesh                  string
	Lease                 Lease
	Sender                Sender
	Target                string
	ClientID, Fingerprint string
	Body                  []byte
	Topic                 *Topic // nil unless the message is for a topic
}

// Topic is what a post to a topic needs beyond its Target, which is then the
// audience as the edges understand it.
type Topic struct {
	Name     string // the target as its sender wrote it: "#" and an id
	Log      string // key of the topic's history, a stream
	Messages int    // that the history may hold; the oldest go first
	Bytes    int    // the same, in bytes of the bodies
}

// Receipt answers a send. Duplicate says that the message had been stored
// before, under this very MessageID.
type Receipt struct {
	MessageID string
	Duplicate bool
}

// Send stores a direct message and rings at its reader. When it returns without
// error the message will be delivered, kept, or moved to the dead letters.
//
// A sender without a lease acts for somebody who is not present, such as a
// schedule; it must be a member, or the answer is [ErrNotMember].
//
// The checks come in this order, and a refusal changes nothing but the rate
// bucket: [ErrLost] or [ErrNotMember], [ErrRate], duplicate or [ErrFingerprint],
// [ErrNoRecipient], [ErrBlocked], [ErrInboxFull], [ErrMeshFull].
func (q *Queue) Send(ctx context.Context, d Direct) (Receipt, error) {
	if err := d.check(); err != nil {
		return Receipt{}, err
	}
	p := q.at(d.Mesh)
	word, rest, err := q.runKept(ctx, "send", sendScript,
		[]string{
			q.actor(d.Mesh, d.Lease), p.rate(), p.once(), p.track(), p.head(), p.inboxes(), p.waits(), p.reader(),
			q.o.MembersKey(d.Mesh), q.o.BansKey(d.Mesh), q.o.SessionsKey(d.Mesh), q.o.GrantsKey(d.Mesh),
		},
		d.Lease.Value, q.o.Rate, q.o.Burst, onceField(d.Sender.Member, d.ClientID), fingerprint(d.Fingerprint),
		q.bucket.Milliseconds(), d.Mesh, d.Sender.Member, d.Sender.Peer, d.Sender.Key, d.Target, string(d.Lane),
		d.ClientID, randomText(tailLen), d.Body, q.c.EdgeBell(d.Mesh, ""), q.maxMessages, q.maxBytes, q.maxMesh)
	return receipt(word, rest, err)
}

// Post appends to the journal and rings in the whole mesh. It is checked like
// [Queue.Send], without the checks that need a recipient.
func (q *Queue) Post(ctx context.Context, m Post) (Receipt, error) {
	if err := m.check(); err != nil {
		return Receipt{}, err
	}
	p, kind := q.at(m.Mesh), KindTopic
	topic := m.Topic
	if topic == nil {
		kind, topic = KindMessage, &Topic{Name: m.Target, Log: p.journal()} // a key of the slot, not used
	}
	word, rest, err := q.runKept(ctx, "post", postScript,
		[]string{
			q.actor(m.Mesh, m.Lease), p.rate(), p.once(), p.track(), p.journal(), p.head(),
			q.o.MembersKey(m.Mesh), q.o.BansKey(m.Mesh), topic.Log,
		},
		m.Lease.Value, q.o.Rate, q.o.Burst, onceField(m.Sender.Member, m.ClientID), fingerprint(m.Fingerprint),
		q.bucket.Milliseconds(), m.Sender.Member, m.Sender.Peer, m.Target, randomText(tailLen), m.Body,
		q.c.MeshBell(m.Mesh), randomText(epochLen), string(kind), topic.Name, topic.Messages, topic.Bytes)
	return receipt(word, rest, err)
}

// actor is the key that entitles a sender: its lease, or the list of members
// for one that is not present.
func (q *Queue) actor(mesh string, l Lease) string {
	if l.Value == "" {
		return q.o.MembersKey(mesh)
	}
	return l.Key
}

func receipt(word string, rest []any, err error) (Receipt, error) {
	if err != nil {
		return Receipt{}, err
	}
	if len(rest) == 0 {
		return Receipt{}, fmt.Errorf("queue: send: answer %q without a message id", word)
	}
	id, _ := rest[0].(string)
	return Receipt{MessageID: id, Duplicate: word == "duplicate"}, nil
}

func (d Direct) check() error {
	if !d.Lane.valid() {
		return fmt.Errorf("%w: lane %.20q", ErrInvalid, d.Lane)
	}
	return checkMessage(d.Mesh, d.Sender, d.Target, d.ClientID, d.Body)
}

func (m Post) check() error {
	target := m.Target
	switch {
	case m.Topic != nil:
		target = m.Topic.Name
	case target != "*" && !strings.HasPrefix(target, "@"):
		return fmt.Errorf("%w: target %.80q of a post", ErrInvalid, target)
	}
	return checkMessage(m.Mesh, m.Sender, target, m.ClientID, m.Body)
}

func checkMessage(mesh string, s Sender, target, clientID string, body []byte) error {
	if err := checkNames(mesh, s.Peer, s.Member, s.Key); err != nil {
		return err
	}
	if err := checkText("target", target, maxTarget); err != nil {
		return err
	}
	if err := checkText("client id", clientID, maxClientID); err != nil {
		return err
	}
	if len(body) < 2 || body[0] != '{' || body[len(body)-1] != '}' || bytes.IndexByte(body, bellSeparator) >= 0 {
		return fmt.Errorf("%w: body is not the text of a JSON object", ErrInvalid)
	}
	return nil
}

// hashLen is enough to keep ids of one mesh apart for a day, at 16 bytes each.
const hashLen = 16

// onceField is where the idempotency buckets keep a client id. It belongs to
// the member, because a retry may come over another connection.
func onceField(member, clientID string) []byte {
	if clientID == "" {
		return nil
	}
	return shortHash(member + "|" + clientID)
}

func fingerprint(s string) []byte {
	if s == "" {
		return nil
	}
	return shortHash(s)
}

func shortHash(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:hashLen]
}
