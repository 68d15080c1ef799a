package peer

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// said opens a push as a client would that has the keys of topics in keys.
func said(t *testing.T, m *wire.Push, keys map[string]*seal.Key) Delivery {
	t.Helper()
	member := newKey(1)
	c := New(Options{MeshID: m.MeshID, Member: member, TopicKey: func(_ context.Context, id string) *seal.Key { return keys[id] }})
	d := c.open(m)
	if d.Err == nil && isTopic(m) {
		c.openTopic(t.Context(), &d, m)
	}
	return d
}

func TestWhatIsSaidInATopicOpensWithItsKeyOnly(t *testing.T) {
	t.Parallel()
	key, other := &seal.Key{1}, &seal.Key{2}
	sealed, err := topicBox(&Message{Text: "hi", Topic: &TopicBody{Key: key}})
	if err != nil {
		t.Fatal(err)
	}
	push := func(box seal.Box, version int) *wire.Push {
		return &wire.Push{
			MeshID: "m", MessageID: "1", SenderPubkey: strings.Repeat("a", 64), TargetSpec: "#t1", Topic: "builds", Nonce: box.Nonce,
			Ciphertext: box.Ciphertext, BodyVersion: version,
		}
	}
	for name, c := range map[string]struct {
		push *wire.Push
		keys map[string]*seal.Key
		text string
		err  error
	}{
		"sealed":            {push(sealed, 2), map[string]*seal.Key{"t1": key}, "hi", nil},
		"without a key":     {push(sealed, 2), nil, "", ErrNoTopicKey},
		"with another key":  {push(sealed, 2), map[string]*seal.Key{"t1": other}, "", ErrTopicKey},
		"in clear":          {push(seal.Plain("open"), 1), nil, "open", nil},
		"sealed, as if not": {push(sealed, 1), map[string]*seal.Key{"t1": key}, "", seal.ErrMalformed},
	} {
		d := said(t, c.push, c.keys)
		if d.Text != c.text || !errors.Is(d.Err, c.err) || d.Verified || d.Target != "#builds" || d.TopicID != "t1" {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func TestNothingLeavesForATopicUnlessOneSaysHow(t *testing.T) {
	t.Parallel()
	if _, err := topicBox(&Message{To: "#t1", Text: "hi"}); !errors.Is(err, ErrClear) {
		t.Errorf("leaves: %v", err)
	}
}

func TestMentionsAreFoundOnceAndBounded(t *testing.T) {
	t.Parallel()
	if got := Mentions("@Ana, look: @ben. and @ana; mail x@example.org"); !slices.Equal(got, []string{"ana", "ben", "example.org"}) {
		t.Errorf("%q", got)
	}
	many := ""
	for c := 'a'; c <= 'z'; c++ {
		many += " @" + string(c)
	}
	if got := Mentions(many); len(got) != wire.MaxMentions {
		t.Errorf("%d names", len(got))
	}
}

func TestAGroupMessageForLaterOpensEachTimeItIsSent(t *testing.T) {
	t.Parallel()
	member := newKey(1)
	root := &seal.Key{7}
	c := New(Options{MeshID: "m", Member: member, Root: root})
	body, err := c.SealLater(Message{To: "*", Text: "again"})
	if err != nil {
		t.Fatal(err)
	}
	push := &wire.Push{
		MeshID: "m", SenderPubkey: c.Pubkey(), TargetSpec: "*", Nonce: body.Nonce, Ciphertext: body.Ciphertext,
		CreatedAt: wire.At(time.Unix(50, 0)),
	}
	for _, id := range []string{"schedule-x-0", "schedule-x-1"} {
		push.ClientMessageID = id
		if d := c.open(push); d.Err != nil || d.Text != "again" || !d.Verified || d.ID != id || d.CreatedAt.Unix() != 50 {
			t.Errorf("%s: %+v", id, d)
		}
	}
	push.ClientMessageID = "another"
	if d := c.open(push); !errors.Is(d.Err, seal.ErrTampered) {
		t.Errorf("under an id of nobody: %+v", d)
	}
}

func TestAStrangersWordsAreNoEventOfTheBroker(t *testing.T) {
	t.Parallel()
	d := said(t, &wire.Push{
		MeshID: "m", Subtype: wire.SubtypeWebhook, Event: wire.EventPeerLeft, SenderPubkey: wire.WebhookSender("peer_left"),
		EventData: []byte(`{"name":"ana"}`),
	}, nil)
	if d.Event != "" || d.Webhook != "peer_left" || d.Verified || d.Text != `{"name":"ana"}` {
		t.Errorf("%+v", d)
	}
}

func TestAScheduledMessageInClearIsShownAsUnverified(t *testing.T) {
	t.Parallel()
	d := said(t, &wire.Push{MeshID: "m", SenderPubkey: strings.Repeat("a", 64), Ciphertext: seal.Plain("old").Ciphertext}, nil)
	if d.Err != nil || d.Text != "old" || d.Verified {
		t.Errorf("%+v", d)
	}
}
