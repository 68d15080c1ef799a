package mcp

import (
	"context"
	"encoding/json"

	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/edge/wire"
)

func (s *Server) addStreamTools() {
	add(s, "list_streams", "List the streams of the mesh. What is published on a stream reaches those who listen now, and is not kept.", s.listStreams)
	add(s, "subscribe_stream", "Listen to a stream: what is published from now on reaches you as messages, until you unsubscribe or end.", s.subscribe)
	add(s, "unsubscribe_stream", "Listen to a stream no longer.", s.unsubscribe)
	add(s, "publish_stream", "Publish data on a stream, for those who listen now. It is sealed for the members of the mesh.", s.publish)
}

type streamInfo struct {
	Name        string `json:"name"`
	Subscribers int    `json:"subscribers"`
	By          string `json:"by,omitempty"`
}

type streamsOut struct {
	Streams []streamInfo `json:"streams"`
	mailed
}

func (s *Server) listStreams(ctx context.Context, _ none) (streamsOut, error) {
	out := streamsOut{Streams: []streamInfo{}}
	m, err := s.o.Session.Shared()
	if err != nil {
		return out, err
	}
	answer, err := share.Ask[*wire.StreamList](ctx, m, &wire.ListStreams{})
	if err != nil {
		return out, err
	}
	for _, t := range answer.Streams[:min(len(answer.Streams), maxListed)] {
		out.Streams = append(out.Streams, streamInfo{line(t.Name, maxNameLine), t.SubscriberCount, line(t.CreatedBy, maxNameLine)})
	}
	return out, nil
}

type streamIn struct {
	Stream string `json:"stream" jsonschema:"its name"`
}

func (s *Server) subscribe(ctx context.Context, in streamIn) (okOut, error) {
	return s.do(ctx, &wire.Subscribe{Stream: in.Stream})
}

func (s *Server) unsubscribe(ctx context.Context, in streamIn) (okOut, error) {
	return s.do(ctx, &wire.Unsubscribe{Stream: in.Stream})
}

type publishIn struct {
	streamIn
	Data any `json:"data" jsonschema:"any JSON value"`
	writing
}

func (s *Server) publish(ctx context.Context, in publishIn) (writtenOut, error) {
	m, err := s.mesh(in.writing)
	if err != nil {
		return writtenOut{}, err
	}
	data, err := json.Marshal(in.Data)
	if err != nil {
		return writtenOut{}, badJSON("data")
	}
	err = m.Publish(ctx, in.Stream, data)
	return writtenOut{OK: err == nil, Sealed: !m.Clear}, err
}
