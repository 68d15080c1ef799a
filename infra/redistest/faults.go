package redistest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"

	goredis "github.com/redis/go-redis/v9"
)

// Kill ends node i at once.
func (c *Cluster) Kill(i int) { c.nodes[i].end(syscall.SIGKILL) }

// Pause freezes node i, as a host that stalls does.
func (c *Cluster) Pause(i int) { c.nodes[i].signal(c.tb, syscall.SIGSTOP) }

// Resume ends a [Cluster.Pause].
func (c *Cluster) Resume(i int) { c.nodes[i].signal(c.tb, syscall.SIGCONT) }

// Restart starts node i again on its data, and returns when it is part of the
// cluster again.
func (c *Cluster) Restart(i int) {
	c.tb.Helper()
	n := c.nodes[i]
	n.end(syscall.SIGTERM)
	c.begin(n)
	c.eventually(func(ctx context.Context) error {
		info, err := n.rdb.ClusterInfo(ctx).Result()
		if err == nil && !strings.Contains(info, "cluster_state:ok") {
			err = fmt.Errorf("node %d: %s", i, info)
		}
		return err
	})
}

// Owner is the index of the master that serves the slot of key.
func (c *Cluster) Owner(key string) int {
	c.tb.Helper()
	owner := -1
	c.eventually(func(ctx context.Context) error {
		var err error
		owner, err = c.owner(ctx, key)
		return err
	})
	return owner
}

// owner asks each node whether it serves the slot itself. A deposed master that
// is out of touch may still think so; the newest epoch is right.
func (c *Cluster) owner(ctx context.Context, key string) (int, error) {
	owner, newest := -1, int64(-1)
	for i, n := range c.nodes {
		if n.ended() {
			continue
		}
		slot, err := n.rdb.ClusterKeySlot(ctx, key).Result()
		if err != nil {
			return -1, err
		}
		shards, err := n.rdb.ClusterShards(ctx).Result()
		if err != nil {
			return -1, err
		}
		if !serves(shards, n.id, slot) {
			continue
		}
		if epoch := c.epoch(ctx, n); epoch > newest {
			owner, newest = i, epoch
		}
	}
	if owner < 0 {
		return -1, fmt.Errorf("nobody owns the slot of %s", key)
	}
	return owner, nil
}

// serves reports whether the node is the master of a shard that has the slot.
func serves(shards []goredis.ClusterShard, id string, slot int64) bool {
	return slices.ContainsFunc(shards, func(s goredis.ClusterShard) bool {
		return slices.ContainsFunc(s.Slots, func(r goredis.SlotRange) bool { return slot >= r.Start && slot <= r.End }) &&
			slices.ContainsFunc(s.Nodes, func(n goredis.Node) bool { return n.ID == id && n.Role == "master" })
	})
}

func (c *Cluster) epoch(ctx context.Context, n *node) int64 {
	info, err := n.rdb.ClusterInfo(ctx).Result()
	if err != nil {
		return -1
	}
	_, rest, _ := strings.Cut(info, "cluster_my_epoch:")
	var epoch int64
	_, _ = fmt.Sscan(rest, &epoch)
	return epoch
}

// AwaitNewOwner returns who serves the slot of key once it is no longer old.
func (c *Cluster) AwaitNewOwner(key string, old int) int {
	c.tb.Helper()
	owner := old
	c.eventually(func(ctx context.Context) (err error) {
		if owner, err = c.owner(ctx, key); err == nil && owner == old {
			err = fmt.Errorf("node %d still owns the slot of %s", old, key)
		}
		return err
	})
	return owner
}

// Failover has a replica of master i take its place, as an operator would, and
// returns the index of the new master.
func (c *Cluster) Failover(i int) int {
	c.tb.Helper()
	replica := -1
	c.eventually(func(ctx context.Context) (err error) {
		replica, err = c.replicaOf(ctx, i)
		return err
	})
	c.eventually(func(ctx context.Context) error {
		if role, err := c.role(ctx, replica); err != nil || role == "master" {
			return err
		}
		// Refused while the replica is out of touch with its master.
		refused := c.nodes[replica].rdb.ClusterFailover(ctx).Err()
		return errors.Join(fmt.Errorf("node %d is not yet the master", replica), refused)
	})
	return replica
}

func (c *Cluster) replicaOf(ctx context.Context, i int) (int, error) {
	for j, n := range c.nodes {
		if n.ended() {
			continue
		}
		info, err := n.rdb.Info(ctx, "replication").Result()
		if err == nil && strings.Contains(info, fmt.Sprintf("master_port:%d\r", c.nodes[i].port)) &&
			strings.Contains(info, "master_link_status:up") {
			return j, nil
		}
	}
	return -1, fmt.Errorf("node %d has no replica", i)
}

// Reshard moves the slot of key to master i while the cluster serves. Between
// the two halves of the move, that is while the slot is in both places, during
// is called if it is not nil.
func (c *Cluster) Reshard(key string, to int, during func()) {
	c.tb.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.tb.Context()), clusterWithin)
	defer cancel()
	from := c.Owner(key)
	source, target := c.nodes[from], c.nodes[to]
	slot := c.must(source.rdb.ClusterKeySlot(ctx, key).Result())
	c.ok(target.rdb.Do(ctx, "CLUSTER", "SETSLOT", slot, "IMPORTING", source.id).Err())
	c.ok(source.rdb.Do(ctx, "CLUSTER", "SETSLOT", slot, "MIGRATING", target.id).Err())
	if during != nil {
		during()
	}
	for {
		keys, err := source.rdb.ClusterGetKeysInSlot(ctx, int(slot), 100).Result()
		c.ok(err)
		if len(keys) == 0 {
			break
		}
		args := []any{"MIGRATE", target.host, target.port, "", 0, 5000, "KEYS"}
		for _, k := range keys {
			args = append(args, k)
		}
		c.ok(source.rdb.Do(ctx, args...).Err())
	}
	for _, n := range []*node{target, source} {
		c.ok(n.rdb.Do(ctx, "CLUSTER", "SETSLOT", slot, "NODE", target.id).Err())
	}
	c.AwaitNewOwner(key, from)
}

func (c *Cluster) must(n int64, err error) int64 {
	c.tb.Helper()
	c.ok(err)
	return n
}

func (c *Cluster) ok(err error) {
	c.tb.Helper()
	if err != nil {
		c.tb.Fatalf("redistest: %v", err)
	}
}

// eventually repeats check until it returns nil.
func (c *Cluster) eventually(check func(ctx context.Context) error) {
	c.tb.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.tb.Context()), clusterWithin)
	defer cancel()
	c.ok(c.await(ctx, func() error { return check(ctx) }, nil))
}
