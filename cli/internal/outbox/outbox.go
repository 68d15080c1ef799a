package outbox

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/receipt"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
)

// Bounds of one mesh's outbox.
const (
	GiveUp     = 23 * time.Hour     // after which a message that could not be sent fails
	keepFor    = 7 * 24 * time.Hour // how long finished messages are known: as long as a broker keeps them
	maxWaiting = 500                // messages that wait
	maxKept    = 2000               // messages in all
	minPrefix  = 8                  // characters of an id that name it
)

var (
	// ErrFull says that too many messages wait already.
	ErrFull = errors.New("outbox: too many messages wait already")
	// ErrNotFound says that no message has that id.
	ErrNotFound = errors.New("outbox: no such message")
	// ErrAmbiguous says that several messages begin with that id.
	ErrAmbiguous = errors.New("outbox: several messages begin like that")
	// ErrSent says that a message cannot be cancelled any more.
	ErrSent = errors.New("outbox: it was sent already")
)

// State is how far sending got.
type State string

// The states of a message in the outbox.
const (
	Waiting   State = "waiting"   // not with the broker yet
	Stored    State = "stored"    // the broker has it
	Failed    State = "failed"    // given up
	Cancelled State = "cancelled" // by the user
)

// Entry is one message.
type Entry struct {
	ID         string     `json:"id"` // client message id
	Session    string     `json:"session,omitempty"`
	Typed      string     `json:"typed"`          // the target as the user wrote it
	To         string     `json:"to,omitempty"`   // the key, "*" or "@group" it resolved to
	Name       string     `json:"name,omitempty"` // whose key that is, for people
	Text       string     `json:"text,omitempty"` // until the broker has it
	Digest     string     `json:"digest"`
	Priority   wire.Lane  `json:"priority"`
	ReplyTo    string     `json:"replyTo,omitempty"`
	Clear      bool       `json:"clear,omitempty"` // to a topic, so that the broker can read it
	AcceptedAt time.Time  `json:"acceptedAt"`
	State      State      `json:"state"`
	Reason     string     `json:"reason,omitempty"`    // why it waits or failed
	From       string     `json:"from,omitempty"`      // the key it was sent with
	MessageID  string     `json:"messageId,omitempty"` // the broker's
	StoredAt   *time.Time `json:"storedAt,omitempty"`

	DeliveredAt *time.Time `json:"deliveredAt,omitempty"` // proven by the recipient's signature
	SurfacedAt  *time.Time `json:"surfacedAt,omitempty"`
}

// Store is the outbox of one mesh.
type Store struct{ dir string }

var (
	meshShape = regexp.MustCompile(`^[0-9A-Za-z]{1,64}$`)
	idShape   = regexp.MustCompile(`^[0-9A-Za-z-]{1,100}$`)
)

// Open returns the outbox of a mesh below an identity directory.
func Open(identityDir, mesh string) (*Store, error) {
	if !meshShape.MatchString(mesh) {
		return nil, fmt.Errorf("outbox: mesh id %q", mesh)
	}
	dir := filepath.Join(identityDir, "outbox", mesh)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	return &Store{dir: dir}, nil
}

// Add accepts a message. It is on disk when Add returns.
func (s *Store) Add(e Entry) (Entry, error) {
	e.State, e.Digest = Waiting, receipt.Digest(e.Text)
	if e.AcceptedAt.IsZero() {
		e.AcceptedAt = time.Now().UTC()
	}
	err := s.locked(func() error {
		all, err := s.List()
		if err != nil {
			return err
		}
		waiting := 0
		for i := range all {
			if all[i].State == Waiting {
				waiting++
			}
		}
		if waiting >= maxWaiting {
			return ErrFull
		}
		s.prune(all, time.Now())
		return s.write(&e)
	})
	return e, err
}

// prune forgets finished messages that are old, or too many.
func (s *Store) prune(all []Entry, now time.Time) {
	kept := len(all)
	for i := range all { // oldest first
		old := now.Sub(all[i].AcceptedAt) > keepFor
		if all[i].State != Waiting && (old || kept >= maxKept) {
			_ = os.Remove(s.path(all[i].ID)) // the next Add tries again
			kept--
		}
	}
}

// Update changes a message, unless change fails. It returns what is stored now.
func (s *Store) Update(id string, change func(*Entry) error) (Entry, error) {
	var e Entry
	err := s.locked(func() error {
		var err error
		if e, err = s.Get(id); err != nil {
			return err
		}
		if err := change(&e); err != nil {
			return err
		}
		return s.write(&e)
	})
	return e, err
}

// Get returns the message with that client message id.
func (s *Store) Get(id string) (Entry, error) {
	if !idShape.MatchString(id) {
		return Entry{}, ErrNotFound
	}
	return read(s.path(id))
}

func read(path string) (Entry, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Entry{}, ErrNotFound
	}
	if err != nil {
		return Entry{}, fmt.Errorf("outbox: %w", err)
	}
	var e Entry
	if err := json.Unmarshal(data, &e); err != nil {
		return Entry{}, fmt.Errorf("outbox: %s is damaged: %w", path, err)
	}
	return e, nil
}

// Find returns the message that an id names, the client's or the broker's, or
// the first characters of either.
func (s *Store) Find(id string) (Entry, error) {
	if id == "" { // what was not sent yet has no message id either
		return Entry{}, ErrNotFound
	}
	all, err := s.List()
	if err != nil {
		return Entry{}, err
	}
	var found []Entry
	for i := range all {
		e := &all[i]
		if e.ID == id || e.MessageID == id {
			return *e, nil
		}
		short := strings.TrimPrefix(e.ID, ShortPrefix)
		if len(id) >= minPrefix && (strings.HasPrefix(e.ID, id) || strings.HasPrefix(short, id) || strings.HasPrefix(e.MessageID, id)) {
			found = append(found, *e)
		}
	}
	switch len(found) {
	case 0:
		return Entry{}, ErrNotFound
	case 1:
		return found[0], nil
	}
	return Entry{}, ErrAmbiguous
}

// ShortPrefix is what ids have in common, and people need not type.
const ShortPrefix = "cmreceipt1-"

// List returns all messages, oldest first. Files that are damaged are left out.
func (s *Store) List() ([]Entry, error) {
	names, err := filepath.Glob(filepath.Join(s.dir, "*.json"))
	if err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	var all []Entry
	for _, name := range names {
		if e, err := read(name); err == nil {
			all = append(all, e)
		}
	}
	slices.SortStableFunc(all, func(a, b Entry) int {
		return cmp.Or(a.AcceptedAt.Compare(b.AcceptedAt), strings.Compare(a.ID, b.ID))
	})
	sayBehind(all)
	return all, nil
}

// sayBehind gives messages that were not tried yet the reason of the oldest one
// of their session: it has to leave first.
func sayBehind(all []Entry) {
	oldest := make(map[string]*Entry)
	for i := range all {
		e := &all[i]
		if e.State != Waiting {
			continue
		}
		first := oldest[e.Session]
		switch {
		case first == nil:
			oldest[e.Session] = e
		case e.Reason == "" && first.Reason == "":
			e.Reason = behind
		case e.Reason == "":
			e.Reason = behind + ": " + first.Reason
		}
	}
}

const behind = "it waits behind an older one"

// Due returns the messages of a session that wait, oldest first.
func (s *Store) Due(session string) ([]Entry, error) {
	all, err := s.List()
	return slices.DeleteFunc(all, func(e Entry) bool { return e.State != Waiting || e.Session != session }), err
}

// Cancel takes a message back that was not sent yet.
func (s *Store) Cancel(id string) (Entry, error) {
	e, err := s.Find(id)
	if err != nil {
		return e, err
	}
	return s.Update(e.ID, func(e *Entry) error {
		if e.State == Stored {
			return ErrSent
		}
		if e.State == Waiting {
			e.State, e.Text, e.Reason = Cancelled, "", ""
		}
		return nil
	})
}

// Receive takes receipts for messages of ours. Those that do not prove what
// they say are ignored.
func (s *Store) Receive(mesh string, receipts []receipt.Receipt) error {
	for i := range receipts {
		r := &receipts[i]
		_, err := s.Update(r.ID, func(e *Entry) error {
			if !r.Verify(mesh, e.From, e.To, e.Digest) {
				return errForged
			}
			at := time.UnixMilli(int64(r.At)).UTC()
			if e.DeliveredAt == nil {
				e.DeliveredAt = &at
			}
			if r.State == receipt.Surfaced && e.SurfacedAt == nil {
				e.SurfacedAt = &at
			}
			return nil
		})
		if err != nil && !errors.Is(err, errForged) && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}

var errForged = errors.New("outbox: a receipt proves nothing")

func (s *Store) path(id string) string { return filepath.Join(s.dir, id+".json") }

func (s *Store) write(e *Entry) error {
	if !idShape.MatchString(e.ID) {
		return fmt.Errorf("outbox: id %q", e.ID)
	}
	data, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	err = renameio.WriteFile(s.path(e.ID), data, 0o600, renameio.WithTempDir(s.dir), renameio.WithStaticPermissions(0o600))
	if err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	return nil
}

func (s *Store) locked(f func() error) error {
	lock := flock.New(filepath.Join(s.dir, "lock"), flock.SetPermissions(0o600))
	if err := lock.Lock(); err != nil {
		return fmt.Errorf("outbox: lock: %w", err)
	}
	defer lock.Close()
	return f()
}
