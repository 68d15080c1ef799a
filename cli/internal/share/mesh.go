package share

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// Mesh is what one mesh shares, as one member of it sees it.
type Mesh struct {
	Asker

	ID     string
	Member ed25519.PrivateKey // signs what we write
	Root   *seal.Key          // nil: nothing can be sealed or opened
	// Clear has everything written so that the broker and existing clients can
	// read it. The vault is sealed nevertheless.
	Clear bool
}

// What is sealed under which key.
const (
	purposeState   = "state"
	purposeMemory  = "memory"
	purposeContext = "context"
	purposeTask    = "task"
	purposeResult  = "task-result"
	purposeSkill   = "skill"
	purposeSteps   = "skill-instructions"
)

// Origin says where a text comes from.
type Origin struct {
	Sealed bool `json:"sealed"`
	// Author is the member key that signed it; empty for clear text, whose
	// author the broker names.
	Author string `json:"author,omitempty"`
	// At is when, by the author's clock. The broker's word would hide that it
	// hands out something old.
	At time.Time `json:"-"`
	// Problem says why a sealed text could not be opened.
	Problem string `json:"problem,omitempty"`
}

// ErrTooLarge says that something does not fit once it is sealed.
var ErrTooLarge = errors.New("share: too large")

// ErrEmpty says that there is nothing to keep. A broker cannot see that of what
// is sealed.
var ErrEmpty = errors.New("share: the text is empty")

// ErrMarked says that a text would be taken for a sealed one.
var ErrMarked = fmt.Errorf("share: clear text must not begin with %s as sealed text does", seal.SharedMark)

// ErrOtherID says that a broker keeps something under an id of its own, under
// which it does not open. An existing broker does; [Mesh.Clear] is for those.
var ErrOtherID = errors.New("share: the broker keeps what was sealed under another id: nobody can open it")

// newID is the id of something new, to which it is sealed; none in clear.
func (m *Mesh) newID() string {
	if m.Clear {
		return ""
	}
	return wire.NewID(wire.RecordID)
}

// asNamed checks that a broker keeps something under the id that we gave it.
func asNamed(given, kept string) error {
	if given != "" && given != kept {
		return ErrOtherID
	}
	return nil
}

// wrap makes the text that stands for v in a field of the given size.
func (m *Mesh) wrap(purpose, name string, v any, limit int) (string, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("share: %w", err)
	}
	text, err := seal.ForShared(m.place(purpose, name), m.Member, time.Now(), string(raw))
	if err != nil {
		return "", err
	}
	if len(text) > limit {
		return "", fmt.Errorf("%w: %d of at most %d bytes once sealed", ErrTooLarge, len(text), limit)
	}
	return text, nil
}

// unseal reads what is sealed in a field into v, which holds what the fields
// say in clear. What does not open leaves nothing in v.
func (m *Mesh) unseal(purpose, name, text string, v any) Origin {
	if !seal.IsShared(text) {
		return Origin{}
	}
	o, into := Origin{Sealed: true}, reflect.ValueOf(v).Elem()
	into.SetZero()
	s, err := seal.OpenShared(m.place(purpose, name), text)
	if err == nil {
		o.Author, o.At = hex.EncodeToString(s.Author), s.Time
		if json.Unmarshal([]byte(s.Text), v) != nil {
			err = seal.ErrMalformed
		}
	}
	if err != nil {
		o.Problem = problem(err)
		into.SetZero()
	}
	return o
}

// seal replaces what stands in text by v, sealed, and takes the tags away, which
// v holds; unless the mesh is written in clear.
func (m *Mesh) seal(purpose, name string, v any, text *string, tags *[]string, limit int) error {
	switch {
	case *text == "" && purpose != purposeSkill: // a description may be
		return ErrEmpty
	case m.Clear:
		return unmarked(*text)
	}
	sealed, err := m.wrap(purpose, name, v, limit)
	if err != nil {
		return err
	}
	*text = sealed
	if tags != nil {
		*tags = nil
	}
	return nil
}

func (m *Mesh) place(purpose, name string) seal.Place {
	return seal.Place{Mesh: m.ID, Purpose: purpose, Name: name, Root: m.Root}
}

// problem words why a sealed text did not open.
func problem(err error) string {
	switch {
	case errors.Is(err, seal.ErrNoKey):
		return "the mesh's root key is not on this machine"
	case errors.Is(err, seal.ErrTampered):
		return "it was altered, moved, or sealed under another key"
	case errors.Is(err, seal.ErrUnknownEpoch):
		return "a newer client sealed it"
	}
	return "it has no shape that could be opened"
}

// unmarked refuses clear text that would be taken for sealed.
func unmarked(texts ...string) error {
	for _, text := range texts {
		if seal.IsShared(text) {
			return ErrMarked
		}
	}
	return nil
}

// when is the time of a sealed text, or what the broker says.
func (o Origin) when(broker wire.Time) time.Time {
	if o.At.IsZero() {
		return broker.Time
	}
	return o.At
}

func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
