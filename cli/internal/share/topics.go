package share

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// ErrClearTopic says that a topic has no key, so that the broker would read
// what is said there.
var ErrClearTopic = errors.New("share: the topic has no key")

// CreateTopic makes a topic, with a key of our making unless it is to be in
// clear. The broker is given our own copy of the key, which it cannot open.
func (m *Mesh) CreateTopic(ctx context.Context, name, description string, visibility wire.TopicVisibility) (*wire.TopicCreated, error) {
	r := &wire.TopicCreate{Name: TopicName(name), Description: description, Visibility: visibility}
	if !m.Clear {
		var key seal.Key
		rand.Read(key[:])
		own, err := m.sealTopicKey(&key, wire.PublicKey(m.Member))
		if err != nil {
			return nil, err
		}
		r.Key = own
	}
	return Ask[*wire.TopicCreated](ctx, m, r)
}

// sealTopicKey makes a member's copy of a topic's key.
func (m *Mesh) sealTopicKey(key *seal.Key, member string) (*wire.SealedTopicKey, error) {
	to, err := hex.DecodeString(member)
	if err != nil || !seal.IsKey(strings.ToLower(member)) {
		return nil, fmt.Errorf("share: member key %.70q: %w", member, seal.ErrBadKey)
	}
	box, err := seal.TopicKey(key, seal.SecretToX25519(m.Member), to)
	return &wire.SealedTopicKey{EncryptedKey: box.Ciphertext, Nonce: box.Nonce}, err
}

// TopicKey returns the key of a topic. It is [ErrClearTopic] where there is
// none, and [peer.ErrNoTopicKey] where nobody has made our copy yet.
func (m *Mesh) TopicKey(ctx context.Context, topic string) (*seal.Key, error) {
	sealed, err := Ask[*wire.TopicKeyResult](ctx, m, &wire.TopicKey{Topic: TopicName(topic)})
	var refused *peer.RefusedError
	if errors.As(err, &refused) {
		switch refused.Code {
		case wire.CodeTopicUnencrypted:
			return nil, ErrClearTopic
		case wire.CodeKeyNotSealed:
			return nil, peer.ErrNoTopicKey
		default: // a refusal like any other
		}
	}
	if err != nil {
		return nil, err
	}
	key, err := seal.OpenTopicKey(m.Member, seal.Box{Nonce: sealed.Nonce, Ciphertext: sealed.EncryptedKey})
	if err != nil {
		return nil, fmt.Errorf("%w: the copy does not open: %w", peer.ErrNoTopicKey, err)
	}
	return key, nil
}

// Reseal makes copies of a topic's key for those who joined and have none. It
// returns their names.
func (m *Mesh) Reseal(ctx context.Context, topic string, key *seal.Key) ([]string, error) {
	waiting, err := Ask[*wire.TopicPendingSealsResult](ctx, m, &wire.TopicPendingSeals{Topic: TopicName(topic)})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, p := range waiting.Pending {
		theirs, err := m.sealTopicKey(key, p.Pubkey)
		if err != nil {
			continue // no key that anything could be sealed to
		}
		r := &wire.TopicSeal{Topic: waiting.TopicID, MemberID: p.MemberID, SealedTopicKey: *theirs}
		if _, err := Ask[*wire.TopicSealed](ctx, m, r); err != nil {
			return names, err
		}
		names = append(names, p.DisplayName)
	}
	return names, nil
}

// Said is something that was said in a topic, opened as far as it could be.
type Said struct {
	wire.TopicMessage
	Text   string
	Sealed bool
	Err    error // why it could not be opened; Text is then empty
}

// History returns what was said in a topic, newest first.
func (m *Mesh) History(ctx context.Context, topic string, limit int, before string) ([]Said, error) {
	answer, err := Ask[*wire.TopicHistoryResponse](ctx, m, &wire.TopicHistory{Topic: TopicName(topic), Limit: limit, BeforeID: before})
	if err != nil {
		return nil, err
	}
	keys := topicKeys{m: m}
	said := []Said{}
	for _, t := range answer.Messages {
		s := Said{TopicMessage: t}
		if s.Text, s.Sealed, s.Err = keys.open(ctx, topic, t.BodyVersion, seal.Box{Nonce: t.Nonce, Ciphertext: t.Ciphertext}); fatal(s.Err) {
			return nil, s.Err
		}
		said = append(said, s)
	}
	return said, nil
}

// Mention is where we were mentioned, opened as far as it could be.
type Mention struct {
	wire.Notification
	Text   string
	Sealed bool
	Err    error
}

// Mentions returns where our member was mentioned, newest first.
func (m *Mesh) Mentions(ctx context.Context, unread bool) ([]Mention, error) {
	answer, err := Ask[*wire.NotificationsResult](ctx, m, &wire.Notifications{Unread: unread})
	if err != nil {
		return nil, err
	}
	keys := topicKeys{m: m}
	found := []Mention{}
	for _, n := range answer.Notifications {
		f := Mention{Notification: n}
		if f.Text, f.Sealed, f.Err = keys.open(ctx, n.TopicID, n.BodyVersion, seal.Box{Nonce: n.Nonce, Ciphertext: n.Ciphertext}); fatal(f.Err) {
			return nil, f.Err
		}
		found = append(found, f)
	}
	return found, nil
}

// topicKeys asks for each topic's key once.
type topicKeys struct {
	m     *Mesh
	known map[string]*seal.Key
}

func (k *topicKeys) open(ctx context.Context, topic string, version int, b seal.Box) (text string, sealed bool, err error) {
	if version != wire.BodySealed {
		text, err = seal.OpenPlain(b)
		return text, false, err
	}
	key, asked := k.known[topic]
	if !asked {
		if key, err = k.m.TopicKey(ctx, topic); err != nil && !errors.Is(err, peer.ErrNoTopicKey) && !errors.Is(err, ErrClearTopic) {
			return "", true, fmt.Errorf("%w: %w", errAsking, err)
		}
		if k.known == nil {
			k.known = make(map[string]*seal.Key)
		}
		k.known[topic] = key
	}
	text, err = peer.OpenTopicBody(key, b)
	return text, true, err
}

// errAsking marks what went wrong with asking for a key, not with opening.
var errAsking = errors.New("share: topic key")

func fatal(err error) bool { return errors.Is(err, errAsking) }

// TopicName is how a topic is asked for: people write it with a # in front.
func TopicName(typed string) string { return strings.TrimPrefix(typed, "#") }

// FindTopic returns the topic of a name or an id.
func (m *Mesh) FindTopic(ctx context.Context, typed string) (wire.Topic, error) {
	answer, err := Ask[*wire.TopicListResponse](ctx, m, &wire.TopicList{})
	if err != nil {
		return wire.Topic{}, err
	}
	name := TopicName(typed)
	for _, same := range []func(wire.Topic) bool{
		func(t wire.Topic) bool { return t.ID == name },
		func(t wire.Topic) bool { return t.Name == name },
		func(t wire.Topic) bool { return strings.EqualFold(t.Name, name) },
	} {
		for _, t := range answer.Topics {
			if same(t) {
				return t, nil
			}
		}
	}
	return wire.Topic{}, &peer.RefusedError{Code: wire.CodeTopicNotFound, Message: "there is no topic " + name}
}
