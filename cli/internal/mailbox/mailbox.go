package mailbox

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/receipt"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// Bounds of one mailbox.
const (
	maxUnread      = 500     // messages
	maxUnreadBytes = 4 << 20 // of text
	maxKnown       = 1024    // shown messages that are remembered, to recognise repeats
	owedFor        = 24 * time.Hour
)

// What a message can be beside something that a peer wrote to us.
const (
	Webhook  = "webhook"  // a stranger's words; Name is the webhook's
	Watch    = "watch"    // a page changed
	Schedule = "schedule" // a scheduled message was not sent
	Stream   = "stream"   // data of a stream, whose name is in Target
)

// Message is what arrived.
type Message struct {
	Kind      string    `json:"kind,omitempty"`
	Key       string    `json:"key"`          // names it across repeats
	MessageID string    `json:"messageId"`    // the broker's
	ID        string    `json:"id,omitempty"` // the sender's client message id
	From      string    `json:"from"`         // the key that sealed it
	Member    string    `json:"member,omitempty"`
	Name      string    `json:"name,omitempty"`
	To        string    `json:"to,omitempty"`     // the key of ours that opened it
	Target    string    `json:"target,omitempty"` // "*" or "@group", or a key
	ReplyTo   string    `json:"replyTo,omitempty"`
	Text      string    `json:"text,omitempty"`
	Priority  wire.Lane `json:"priority,omitempty"`
	CreatedAt time.Time `json:"createdAt"`
	Verified  bool      `json:"verified,omitempty"`
	Error     string    `json:"error,omitempty"` // why it could not be opened
	Digest    string    `json:"digest,omitempty"`
	At        time.Time `json:"at"` // when it arrived
}

// asks reports whether the sender wants receipts, and can be given some.
func (m *Message) asks() bool {
	return m.Verified && m.Error == "" && m.To != "" && receipt.Asked(m.ID)
}

// item is a message and how far it got.
type item struct {
	Message
	ShownAt *time.Time    `json:"shownAt,omitempty"`
	Told    receipt.State `json:"told,omitempty"` // the last receipt that was sent

	claimed bool
}

// Owed is a receipt that is due.
type Owed struct {
	Key    string // of the message
	Sender string
	ID     string
	To     string
	Digest string
	State  receipt.State
	At     time.Time
}

// Box is the mailbox of one session. Its methods may be called from several
// goroutines.
type Box struct {
	path string

	mu      sync.Mutex // guards the following
	log     *logFile
	items   []*item // in order of arrival
	index   map[string]*item
	unread  int
	bytes   int
	changed chan struct{}
}

// Open reads a mailbox, or makes an empty one.
func Open(path string) (*Box, error) {
	items, err := readLog(path)
	if err != nil {
		return nil, err
	}
	b := &Box{path: path, items: items, index: make(map[string]*item), changed: make(chan struct{})}
	for _, it := range items {
		b.index[it.Key] = it
		b.count(it, 1)
	}
	b.forget()
	return b, b.rewrite()
}

// count keeps the numbers of what is unread. The caller holds mu.
func (b *Box) count(it *item, sign int) {
	if it.ShownAt == nil {
		b.unread += sign
		b.bytes += sign * len(it.Text)
	}
}

// Add keeps a message. It waits for room, and reports false for one that is
// known already.
func (b *Box) Add(ctx context.Context, m Message) (added bool, err error) {
	for {
		b.mu.Lock()
		if b.index[m.Key] != nil {
			b.mu.Unlock()
			return false, nil
		}
		if b.unread < maxUnread && b.bytes < maxUnreadBytes {
			defer b.mu.Unlock()
			return true, b.add(m)
		}
		changed := b.changed
		b.mu.Unlock()
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-changed:
		}
	}
}

func (b *Box) add(m Message) error {
	if m.At.IsZero() {
		m.At = time.Now().UTC()
	}
	m.Digest = receipt.Digest(m.Text)
	it := &item{Message: m}
	if err := b.log.append(record{Add: it}, true); err != nil {
		return err
	}
	b.items = append(b.items, it)
	b.index[m.Key] = it
	b.count(it, 1)
	b.wake()
	return b.tidy()
}

// Claim takes unread messages, oldest first, for one door: at most so many and
// about so many bytes, but one in any case. It also returns how many are left.
func (b *Box) Claim(limit, size int) (messages []Message, left int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, it := range b.items {
		if it.ShownAt != nil || it.claimed {
			continue
		}
		if len(messages) > 0 && (len(messages) >= limit || size < len(it.Text)) {
			left++
			continue
		}
		size -= len(it.Text)
		it.claimed = true
		messages = append(messages, it.Message)
	}
	return messages, left
}

// Shown says that messages reached the reader.
func (b *Box) Shown(messages []Message) error {
	if len(messages) == 0 {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now().UTC()
	r := record{At: &now}
	for _, m := range messages {
		it := b.index[m.Key]
		if it == nil || it.ShownAt != nil {
			continue
		}
		b.count(it, -1)
		it.claimed, it.ShownAt, it.Text = false, &now, ""
		r.Shown = append(r.Shown, m.Key)
	}
	if err := b.log.append(r, false); err != nil {
		return err
	}
	b.wake()
	return b.tidy()
}

// Release gives claimed messages back: they did not reach the reader.
func (b *Box) Release(messages []Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range messages {
		if it := b.index[m.Key]; it != nil {
			it.claimed = false
		}
	}
	b.wake()
}

// Unread is how many messages wait for a door.
func (b *Box) Unread() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, it := range b.items {
		if it.ShownAt == nil && !it.claimed {
			n++
		}
	}
	return n
}

// Owed returns the receipts that are due. A receipt that a message was shown
// says as well that it arrived.
func (b *Box) Owed() []Owed {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []Owed
	for _, it := range b.items {
		o := Owed{Key: it.Key, Sender: it.From, ID: it.ID, To: it.To, Digest: it.Digest, State: receipt.Delivered, At: it.At}
		if it.ShownAt != nil {
			o.State, o.At = receipt.Surfaced, *it.ShownAt
		}
		if it.asks() && it.Told != o.State && it.Told != receipt.Surfaced && time.Since(o.At) < owedFor {
			out = append(out, o)
		}
	}
	return out
}

// Told says that receipts were sent, or that there is nobody to take them.
func (b *Box) Told(owed []Owed) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, state := range []receipt.State{receipt.Delivered, receipt.Surfaced} {
		r := record{State: state}
		for _, o := range owed {
			if it := b.index[o.Key]; it != nil && o.State == state {
				it.Told = state
				r.Told = append(r.Told, o.Key)
			}
		}
		if len(r.Told) > 0 {
			if err := b.log.append(r, false); err != nil {
				return err
			}
		}
	}
	return b.tidy()
}

// Changed is closed at the next change: take it before looking.
func (b *Box) Changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}

// Close ends the writing.
func (b *Box) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.close()
}

func (b *Box) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// tidy rewrites the file when most of it is history.
func (b *Box) tidy() error {
	if !b.log.grown() {
		return nil
	}
	b.forget()
	return b.rewrite()
}

// forget drops the oldest messages that were shown, beyond those that are
// needed to recognise repeats.
func (b *Box) forget() {
	surplus := len(b.items) - b.unread - maxKnown
	b.items = slices.DeleteFunc(b.items, func(it *item) bool {
		if surplus <= 0 || it.ShownAt == nil {
			return false
		}
		surplus--
		delete(b.index, it.Key)
		return true
	})
}

func (b *Box) rewrite() error {
	log, err := rewriteLog(b.path, b.log, b.items)
	if err != nil {
		return err
	}
	b.log = log
	return nil
}
