package command

import (
	"context"
	"errors"
	"strings"

	"github.com/claudemesh/claudemesh/cli/internal/outbox"
	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

// isTopicName reports whether a target is a topic, as people write it.
func isTopicName(typed string) bool { return strings.HasPrefix(typed, "#") }

// topic finds the topic that a target names.
func (c courier) topic(ctx context.Context, typed string) (outbox.Recipient, error) {
	mesh, err := c.m.sharedMesh(c.Client)
	if err != nil {
		return outbox.Recipient{}, err
	}
	t, err := mesh.FindTopic(ctx, typed)
	return outbox.Recipient{Key: "#" + t.ID, Name: "#" + t.Name}, err
}

// Send implements outbox.Courier. What goes to a topic is sealed under its key,
// which is asked for here.
func (c courier) Send(ctx context.Context, m peer.Message) (peer.Receipt, error) {
	if wire.ClassifyTarget(m.To).Class == wire.ClassTopic && m.Topic == nil {
		body, err := c.topicBody(ctx, m.To)
		if err != nil {
			return peer.Receipt{ID: m.ID}, err
		}
		m.Topic = body
	}
	return c.Client.Send(ctx, m)
}

// topicBody says how to write to a topic: sealed, or else only where the owner
// of the mesh has it so. Those who wait for their copy of the key get it.
func (c courier) topicBody(ctx context.Context, to string) (*peer.TopicBody, error) {
	mesh, err := c.m.sharedMesh(c.Client)
	if err != nil {
		return nil, err
	}
	topic := wire.ClassifyTarget(to).Name
	key, err := mesh.TopicKey(ctx, topic)
	if errors.Is(err, share.ErrClearTopic) && mesh.Clear {
		return &peer.TopicBody{}, nil
	}
	if err != nil {
		return nil, err
	}
	_, _ = mesh.Reseal(ctx, topic, key) // whoever comes next does it, if we could not
	return &peer.TopicBody{Key: key}, nil
}

func newTopicSend(a *app) *cobra.Command {
	o := &sendOptions{app: a, priority: string(wire.LaneNext)}
	c := &cobra.Command{
		Use: "send TOPIC TEXT", Short: "Say something in a topic",
		Long: "Say something in a topic that you joined. With - as TEXT it is read from stdin. It is sealed under the topic's\n" +
			"key; in a topic that has none it takes --clear. Names after an @ are told that they were mentioned.\n" +
			"claudemesh send '#TOPIC' TEXT is the same.",
		Example: `  claudemesh topic send builds "green again, @ben"`,
		Args:    exactly("TOPIC", "TEXT"),
		RunE: func(c *cobra.Command, args []string) error {
			o.target, o.text = "#"+share.TopicName(args[0]), args[1]
			return o.run(c.Context())
		},
	}
	c.Flags().StringVar(&o.replyTo, "reply-to", "", "the `ID` of the message that this one answers")
	o.addClearFlag(c)
	addSessionFlag(c, &o.session)
	return c
}
