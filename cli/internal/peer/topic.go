package peer

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// TopicBody says how a message to a topic is written.
type TopicBody struct {
	Key *seal.Key // nil: in clear, for a topic that has no key or on purpose
}

// topicBox makes the body of a message to a topic, in the two versions that
// existing clients read. What is not asked for in clear leaves sealed or not at
// all.
func topicBox(m *Message) (seal.Box, error) {
	switch {
	case m.Topic == nil:
		return seal.Box{}, ErrClear
	case m.Topic.Key == nil:
		return seal.Plain(m.Text), nil
	}
	return seal.Secret(m.Topic.Key, []byte(m.Text)), nil
}

// addTopic puts beside the body what nobody but its readers could find in it.
func addTopic(s *wire.Send, m *Message) {
	s.BodyVersion = wire.BodyPlain
	if m.Topic.Key != nil {
		s.BodyVersion = wire.BodySealed
	}
	s.Mentions = Mentions(m.Text)
}

var mention = regexp.MustCompile(`@[\p{L}\p{N}][\p{L}\p{N}_.-]*`)

// Mentions are the names that a text mentions.
func Mentions(text string) []string {
	var names []string
	for _, found := range mention.FindAllString(text, 4*wire.MaxMentions) {
		name := strings.ToLower(strings.TrimRight(found[1:], ".-"))
		if !slices.Contains(names, name) && len(names) < wire.MaxMentions {
			names = append(names, name)
		}
	}
	return names
}

// openTopic reads what was said in a topic. Whoever holds the topic's key can
// have written it: that a broker names the sender proves nothing.
func (c *Client) openTopic(ctx context.Context, d *Delivery, m *wire.Push) {
	d.TopicID = wire.ClassifyTarget(m.TargetSpec).Name
	if m.Topic != "" {
		d.Target = "#" + m.Topic
	}
	box := seal.Box{Nonce: m.Nonce, Ciphertext: m.Ciphertext}
	if m.BodyVersion != wire.BodySealed {
		d.Text, d.Err = seal.OpenPlain(box)
		return
	}
	var key *seal.Key
	if c.o.TopicKey != nil {
		key = c.o.TopicKey(ctx, d.TopicID)
	}
	d.Text, d.Err = OpenTopicBody(key, box)
}

// OpenTopicBody opens a body of version 2.
func OpenTopicBody(key *seal.Key, b seal.Box) (string, error) {
	if key == nil {
		return "", ErrNoTopicKey
	}
	text, err := seal.OpenSecret(key, b)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrTopicKey, err)
	}
	return string(text), nil
}

// isTopic reports whether a push was said in a topic.
func isTopic(m *wire.Push) bool {
	return !m.IsEvent() && wire.ClassifyTarget(m.TargetSpec).Class == wire.ClassTopic
}
