package commons

import (
	"context"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/queue"
)

// postScheduled sends a scheduled message to a topic.
func (s *Commons) postScheduled(
	_ context.Context, _ string, _ queue.Sender, topic, _ string, _ wire.PushBody,
) error {
	return refuse(wire.CodeTopicNotFound, "there is no topic %q", topic)
}
