package chaos

import (
	"context"
	"errors"
	"fmt"

	"github.com/claudemesh/claudemesh/infra/redis"
	"github.com/claudemesh/claudemesh/infra/redistest"
)

const (
	clusterMasters  = 3
	clusterReplicas = 1 // of each master
)

// cluster is a Redis Cluster. Pausing it freezes all of it; killing it kills
// one master, in turn.
type cluster struct {
	nodes  *redistest.Cluster
	client *redis.Client
	scope  *scope
	turn   int
	victim int // the node that Restart brings back
}

// StartCluster starts a Redis Cluster of three masters and three replicas with
// the given number of partitions; 0 means the usual one.
func StartCluster(ctx context.Context, partitions int) (b Backend, err error) {
	s := newScope(ctx)
	defer s.recover(&err)
	nodes := redistest.StartCluster(s, clusterMasters, clusterReplicas)
	c, err := redis.Open(ctx, redis.Options{URL: nodes.URL(), Partitions: partitions})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("chaos: %w", err), s.close())
	}
	return &cluster{nodes: nodes, client: c, scope: s}, nil
}

func (b *cluster) Kind() string {
	return fmt.Sprintf("a Redis Cluster of %d masters and %d replicas", clusterMasters, clusterMasters*clusterReplicas)
}

func (b *cluster) URL() string                       { return b.nodes.URL() }
func (b *cluster) Address() (network, target string) { return "", "" }
func (b *cluster) Client() *redis.Client             { return b.client }
func (b *cluster) FailsOver() bool                   { return true }

func (b *cluster) each(do func(i int)) {
	for i := range clusterMasters * (1 + clusterReplicas) {
		do(i)
	}
}

func (b *cluster) Pause()  { b.each(b.nodes.Pause) }
func (b *cluster) Resume() { b.each(b.nodes.Resume) }

// next is the master whose turn it is to suffer, and a key that it serves.
func (b *cluster) next() (master int, key string) {
	b.turn++
	key = redis.PartitionTag(b.turn)
	return b.nodes.Owner(key), key
}

func (b *cluster) Kill() {
	b.victim, _ = b.next()
	b.nodes.Kill(b.victim)
}

// Stop chooses who is restarted: a node that ends politely is away for a moment
// only.
func (b *cluster) Stop() { b.victim, _ = b.next() }

func (b *cluster) Restart() { b.nodes.Restart(b.victim) }

// FailOver has a replica take over: by turns as an operator does, without a
// loss, and because the master is dead.
func (b *cluster) FailOver(context.Context) error {
	master, key := b.next()
	if b.turn%2 == 0 {
		b.nodes.Failover(master)
		return nil
	}
	b.nodes.Kill(master)
	b.nodes.AwaitNewOwner(key, master)
	b.nodes.Restart(master)
	return nil
}

func (b *cluster) CutSubscriptions(ctx context.Context) error {
	return b.everyMaster(ctx, func(n redis.Node) error {
		return n.Raw.Do(ctx, "CLIENT", "KILL", "TYPE", "pubsub").Err()
	})
}

func (b *cluster) Flush(ctx context.Context) error {
	return b.everyMaster(ctx, func(n redis.Node) error { return n.Raw.FlushAll(ctx).Err() })
}

func (b *cluster) everyMaster(ctx context.Context, do func(redis.Node) error) error {
	masters, err := b.client.Masters(ctx)
	if err != nil {
		return fmt.Errorf("chaos: %w", err)
	}
	for _, n := range masters {
		err = errors.Join(err, do(n))
	}
	return err
}

func (b *cluster) Close() error {
	return errors.Join(b.client.Close(), b.scope.close())
}
