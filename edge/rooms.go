package edge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/claudemesh/claudemesh/functions/admin"
	"github.com/claudemesh/claudemesh/functions/invite"
	"github.com/claudemesh/claudemesh/functions/rooms"
	"github.com/claudemesh/claudemesh/presence"
)

// newFunctions makes the handlers of the functions' paths: the functions
// themselves on a small installation, forwarders in a fleet, or none.
func (s *Server) newFunctions() (map[string]http.Handler, error) {
	switch s.cfg.Functions {
	case functionsInProcess:
		return s.ownFunctions()
	case functionsOff:
		return nil, nil
	default:
		return s.forwarders()
	}
}

func (s *Server) ownFunctions() (map[string]http.Handler, error) {
	c := admin.Config{
		Creation: admin.Creation(s.cfg.MeshCreation), BrokerURL: s.cfg.PublicURL, Log: s.log,
	}
	if s.cfg.OperatorToken != "" {
		c.OperatorTokenHash = admin.HashOperatorToken(string(s.cfg.OperatorToken))
	}
	meshes, err := admin.NewHandler(s.registry, rooms.Of(s.redis, c))
	if err != nil {
		return nil, fmt.Errorf("edge: functions: %w", err)
	}
	handlers := map[string]http.Handler{"/v1/": meshes}
	invites := invite.NewHandler(s.registry, invite.Config{Log: s.log})
	for _, pattern := range invite.Patterns {
		handlers[pattern] = invites
	}
	return handlers, nil
}

// newWatcher makes this edge's share in announcing who has left.
func (s *Server) newWatcher() *presence.Watcher {
	return presence.NewWatcher(s.presence, presence.WatcherOptions{
		Edge: s.id, OnLeft: s.left, OnHold: s.held, Lateness: s.tardy, Log: s.log,
	})
}

// left takes a peer that has gone out of the line of its inboxes' readers, and
// what it owned out of the commons, up to the generation that left.
func (s *Server) left(ctx context.Context, l presence.Left) error {
	keys := []string{l.Member, l.ID}
	if l.Key != l.Member && l.Key != l.ID {
		keys = append(keys, l.Key) // it was claimed
	}
	var errs []error
	for _, key := range keys {
		if key == "" {
			continue
		}
		if err := s.queue.CloseReader(ctx, l.Mesh, key, l.ID, l.Generation); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, s.commons.Left(ctx, l))...)
}

const (
	// retireEvery is how often each partition is looked at for messages that
	// have waited too long. The retention is days, so nobody is in a hurry.
	retireEvery = 10 * time.Minute

	// retireAtOnce bounds the messages moved from one partition at a time.
	retireAtOnce = 1000
)

// retire moves what has waited too long to the dead letters, one partition
// after the other. Every edge does it: doing it twice is harmless and asking
// for nothing is cheap.
func (s *Server) retire(ctx context.Context) error {
	n := s.redis.Partitions()
	tick := time.NewTicker(max(retireEvery/time.Duration(n), time.Second))
	defer tick.Stop()
	deepest := &depth{gauge: s.metrics.deepest, round: n}
	for partition := int(spread(time.Duration(n))); ; partition = (partition + 1) % n {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if _, err := s.queue.Retire(ctx, partition, retireAtOnce); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "retire old messages", "partition", partition, "err", err)
		}
		s.measure(ctx, deepest, partition)
	}
}
