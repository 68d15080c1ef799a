package commons

import (
	"cmp"
	"context"
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/queue"
)

// spoken is what became of a message to a topic.
type spoken struct {
	queue.Receipt
	topic    *topic
	body     wire.PushBody
	notified int
}

// Speak sends a peer's message to the topic that its target names.
func (s *Commons) Speak(ctx context.Context, who *Caller, m *wire.Send) (queue.Receipt, error) {
	said, err := s.speak(ctx, queue.Post{
		Mesh: who.Peer.Mesh, Lease: who.Lease, Sender: queue.Sender{Peer: who.Peer.ID, Member: who.Member.Key, Key: who.Key},
		ClientID: m.ClientMessageID, Fingerprint: m.RequestFingerprint,
	}, wire.ClassifyTarget(m.TargetSpec).Name, wire.PushBody{
		MeshID: who.Peer.Mesh, SenderPubkey: who.Key, SenderMemberID: who.Member.ID, SenderName: who.Name,
		Priority: m.Lane(), Nonce: m.Nonce, Ciphertext: m.Ciphertext, ClientMessageID: m.ClientMessageID,
		RequestFingerprint: m.RequestFingerprint, ReplyToID: m.ReplyToID, BodyVersion: m.BodyVersion, Mentions: m.Mentions,
	})
	return said.Receipt, err
}

// postScheduled sends a scheduled message to a topic, as its author.
func (s *Commons) postScheduled(
	ctx context.Context, mesh string, sender queue.Sender, topicName, clientID string, body wire.PushBody,
) error {
	_, err := s.speak(ctx, queue.Post{Mesh: mesh, Sender: sender, ClientID: clientID}, topicName, body)
	return err
}

// speak appends a message to a topic's history and to the journal, for the
// members that joined, and notes who was mentioned. The topic is one of the
// sender's mesh that the sender joined.
func (s *Commons) speak(ctx context.Context, p queue.Post, name string, body wire.PushBody) (spoken, error) {
	t, err := s.joinedTopic(ctx, p.Mesh, p.Sender.Member, name)
	if err != nil {
		return spoken{}, err
	}
	if t.part.Role == wire.TopicObserver {
		return spoken{}, refuse(wire.CodeForbidden, "observers of a topic listen: join as member to speak")
	}
	if body.ReplyToID != "" {
		known, err := s.isMessageOf(ctx, p.Mesh, t.id, body.ReplyToID)
		if err != nil {
			return spoken{}, err
		}
		if !known {
			body.ReplyToID = ""
		}
	}
	body.TargetSpec, body.Topic, body.BodyVersion = "#"+t.id, t.Name, cmp.Or(body.BodyVersion, wire.BodyPlain)
	body.Mentions = mentioned(&body)
	joined, err := s.redis.Raw().HKeys(ctx, s.key(p.Mesh, t.parts())).Result()
	if err != nil {
		return spoken{}, err
	}
	p.Target, p.Body = Audience(joined), body.Encode()
	p.Topic = &queue.Topic{
		Name: body.TargetSpec, Log: s.historyKey(p.Mesh, t.id), Messages: maxTopicMessages, Bytes: maxTopicBytes,
	}
	out := spoken{topic: t, body: body}
	if out.Receipt, err = s.queue.Post(ctx, p); err != nil {
		return out, err
	}
	if err := s.forgetIfEnded(ctx, p.Mesh, t.id); err != nil {
		return out, err
	}
	// The message is kept. A sender that asks again, because it did not hear
	// so, has this done again.
	if out.notified, err = s.notify(ctx, &out, p.Sender.Member, joined); err != nil {
		s.log.WarnContext(ctx, "note mentions", "mesh", p.Mesh, "topic", t.id, "err", err)
	}
	return out, nil
}

// forgetIfEnded removes the history of a topic that ended while something was
// said there, which nobody would remove any more.
func (s *Commons) forgetIfEnded(ctx context.Context, mesh, id string) error {
	text, err := s.get(ctx, mesh, topicShelf, id)
	if err != nil || text != "" {
		return err
	}
	return s.redis.Raw().Del(ctx, s.historyKey(mesh, id)).Err()
}

var mention = regexp.MustCompile(`@[\p{L}\p{N}][\p{L}\p{N}_.-]*`)

// mentioned are the names that a message mentions, in lower case: those that
// it lists, or else those after an @ in a body that can be read.
func mentioned(b *wire.PushBody) []string {
	names := slices.Clone(b.Mentions)
	if len(names) == 0 && b.BodyVersion == wire.BodyPlain {
		text, err := base64.StdEncoding.DecodeString(b.Ciphertext)
		if err != nil || !utf8.Valid(text) {
			return nil
		}
		for _, found := range mention.FindAllString(string(text), 4*wire.MaxMentions) {
			names = append(names, strings.TrimRight(found[1:], ".-"))
		}
	}
	var out []string
	for _, name := range names {
		name = strings.ToLower(strings.TrimPrefix(name, "@"))
		if name != "" && !slices.Contains(out, name) && len(out) < wire.MaxMentions {
			out = append(out, name)
		}
	}
	return out
}
