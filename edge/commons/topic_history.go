package commons

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/queue"
)

func (s *Commons) topicHistory(ctx context.Context, who *Caller, m *wire.TopicHistory) (wire.Message, error) {
	t, err := s.readableTopic(ctx, who.Peer.Mesh, who.Member.Key, m.Topic)
	if err != nil {
		return nil, err
	}
	messages, err := s.saidBefore(ctx, who.Peer.Mesh, t.id, m.BeforeID, m.Page())
	return &wire.TopicHistoryResponse{Topic: m.Topic, Messages: messages, ReqID: m.ReqID}, err
}

// saidBefore returns what was said before a message, "" for the newest, newest
// first. The bounds of a history keep the answer within a frame.
func (s *Commons) saidBefore(ctx context.Context, mesh, id, before string, limit int) ([]wire.TopicMessage, error) {
	end := "+"
	if before != "" {
		seq, err := seqOf(before)
		if err != nil {
			return nil, err
		}
		end = "(" + seq
	}
	return s.said(ctx, mesh, id, "XREVRANGE", end, "-", limit)
}

// saidAfter returns everything that was said after a message, oldest first.
func (s *Commons) saidAfter(ctx context.Context, mesh, id, after string) ([]wire.TopicMessage, error) {
	seq, err := seqOf(after)
	if err != nil {
		return nil, err
	}
	return s.said(ctx, mesh, id, "XRANGE", "("+seq, "+", maxTopicMessages)
}

// seqOf is the place of a message in its history: its id spells it.
func seqOf(messageID string) (string, error) {
	class, seq, ok := queue.ParseID(messageID)
	if !ok || class != queue.ClassJournal {
		return "", refuse(wire.CodeInvalidArgument, "no message of a topic has this id")
	}
	return strconv.FormatUint(seq, 10) + "-0", nil
}

// isMessageOf reports whether a topic's history has a message.
func (s *Commons) isMessageOf(ctx context.Context, mesh, id, messageID string) (bool, error) {
	seq, err := seqOf(messageID)
	if err != nil {
		return false, nil //nolint:nilerr // any text may be asked for
	}
	found, err := s.said(ctx, mesh, id, "XRANGE", seq, seq, 1)
	return err == nil && len(found) == 1 && found[0].ID == messageID, err
}

func (s *Commons) said(ctx context.Context, mesh, id, verb, from, to string, limit int) ([]wire.TopicMessage, error) {
	items, err := s.redis.Do(ctx, verb, s.historyKey(mesh, id), from, to, "COUNT", limit).Slice()
	if err != nil {
		return nil, fmt.Errorf("commons: read history: %w", err)
	}
	out := make([]wire.TopicMessage, 0, len(items))
	for _, item := range items {
		m, err := parseSaid(item)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

var errHistory = errors.New("commons: malformed entry of a history")

// parseSaid reads an entry of queue/lua/history.lua.
func parseSaid(item any) (wire.TopicMessage, error) {
	pair, _ := item.([]any)
	if len(pair) != 2 {
		return wire.TopicMessage{}, errHistory
	}
	flat, _ := pair[1].([]any)
	fields := map[string]string{}
	for two := range slices.Chunk(flat, 2) {
		if len(two) == 2 {
			name, _ := two[0].(string)
			fields[name], _ = two[1].(string)
		}
	}
	at, err := strconv.ParseInt(fields["a"], 10, 64)
	if err != nil {
		return wire.TopicMessage{}, errHistory
	}
	return topicMessage(fields["i"], at, fields["b"])
}

// topicMessage is a stored body as its readers see it.
func topicMessage(id string, at int64, body string) (wire.TopicMessage, error) {
	var b wire.PushBody
	if err := json.Unmarshal([]byte(body), &b); err != nil {
		return wire.TopicMessage{}, fmt.Errorf("%w: %w", errHistory, err)
	}
	return wire.TopicMessage{
		ID: id, SenderPubkey: b.SenderPubkey, SenderMemberID: b.SenderMemberID, SenderName: b.SenderName,
		Nonce: b.Nonce, Ciphertext: b.Ciphertext, BodyVersion: b.BodyVersion, ReplyToID: b.ReplyToID,
		Mentions: b.Mentions, CreatedAt: moment(at),
	}, nil
}
