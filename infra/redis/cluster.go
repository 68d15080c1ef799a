package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// reloadSlotsEvery bounds how old the map of slots can be where nothing was
// redirected.
const reloadSlotsEvery = 10 * time.Second

// cluster knows the nodes of a Redis Cluster. go-redis keeps the map of slots;
// what to repeat after an error is decided here, because go-redis would repeat
// a script whose connection broke, and with one command of a pipeline that was
// refused the whole pipeline.
type cluster struct {
	rdb *goredis.ClusterClient
	opt *goredis.ClusterOptions

	closed atomic.Bool

	mu     sync.Mutex
	others map[string]*goredis.Client // by address; not those of rdb, which it may be making just now
}

func newCluster(o *goredis.Options, addrs []string) *cluster {
	k := &cluster{others: map[string]*goredis.Client{}}
	k.opt = &goredis.ClusterOptions{
		Addrs: addrs, ClusterStateReloadInterval: reloadSlotsEvery,
		MaxRedirects: -1, MaxRetries: -1, DialerRetries: 1,
		DisableRoutingPolicies: true, // PING would go to all masters, and fail with any of them
		ClientName:             o.ClientName, Protocol: o.Protocol, Username: o.Username, Password: o.Password, TLSConfig: o.TLSConfig,
		DialTimeout: o.DialTimeout, ReadTimeout: o.ReadTimeout, WriteTimeout: o.WriteTimeout,
		PoolTimeout: o.PoolTimeout, PoolSize: o.PoolSize, MinIdleConns: o.MinIdleConns,
		MaxIdleConns: o.MaxIdleConns, MaxActiveConns: o.MaxActiveConns, PoolFIFO: o.PoolFIFO,
		ConnMaxIdleTime: o.ConnMaxIdleTime, ConnMaxLifetime: o.ConnMaxLifetime,
		ContextTimeoutEnabled: o.ContextTimeoutEnabled, DisableIdentity: o.DisableIdentity,
	}
	k.rdb = goredis.NewClusterClient(k.opt)
	k.rdb.AddHook(redirects{k})
	return k
}

// at returns the node at an address that a redirection named. It may own no
// slot yet. An address without a host means the node that was asked, which is
// found again by the map.
func (k *cluster) at(addr string) *goredis.Client {
	if addr == "" || strings.HasPrefix(addr, ":") {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	n := k.others[addr]
	if n == nil {
		o := k.nodeOptions(addr)
		n = goredis.NewClient(&o)
		k.others[addr] = n
	}
	return n
}

// nodeOptions is how any node is reached; the caller holds mu.
func (k *cluster) nodeOptions(addr string) goredis.Options {
	o := k.opt
	return goredis.Options{
		Addr: addr, ClientName: o.ClientName, Protocol: o.Protocol, Username: o.Username, Password: o.Password,
		TLSConfig: o.TLSConfig, MaxRetries: -1, DialerRetries: o.DialerRetries,
		DialTimeout: o.DialTimeout, ReadTimeout: o.ReadTimeout, WriteTimeout: o.WriteTimeout,
		PoolTimeout: o.PoolTimeout, PoolSize: o.PoolSize,
		ContextTimeoutEnabled: o.ContextTimeoutEnabled, DisableIdentity: o.DisableIdentity,
	}
}

func (k *cluster) close() error {
	k.closed.Store(true)
	errs := []error{k.rdb.Close()}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, n := range k.others {
		errs = append(errs, n.Close())
	}
	return errors.Join(errs...)
}

// A Node is one Redis process that owns keys: the only one, or a master.
type Node struct {
	// Addr tells nodes apart.
	Addr string

	// Raw is for commands about the node itself. It follows no redirection.
	Raw *goredis.Client
}

func newNode(n *goredis.Client) Node { return Node{Addr: n.Options().Addr, Raw: n} }

// Clustered reports whether there can be more than one node.
func (c *Client) Clustered() bool { return c.cluster != nil }

// Masters lists the nodes that own keys, as the cluster knows them now.
func (c *Client) Masters(ctx context.Context) ([]Node, error) {
	if c.cluster == nil {
		return []Node{newNode(c.single)}, nil
	}
	var mu sync.Mutex
	var out []Node
	err := c.cluster.rdb.ForEachMaster(ctx, func(_ context.Context, n *goredis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		out = append(out, newNode(n))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("redis: masters: %w", err)
	}
	return out, nil
}

// Home is the node that owns key, as far as is known without asking.
func (c *Client) Home(ctx context.Context, key string) (Node, error) {
	n, err := c.home(ctx, key)
	if err != nil {
		return Node{}, err
	}
	return newNode(n), nil
}

func (c *Client) home(ctx context.Context, key string) (*goredis.Client, error) {
	if c.cluster == nil {
		return c.single, nil
	}
	n, err := c.cluster.rdb.MasterForKey(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("redis: find node: %w", err)
	}
	return n, nil
}

// Refresh has the map of slots read again, soon. Whoever finds a node gone, or
// not in charge, calls it.
func (c *Client) Refresh(ctx context.Context) {
	if c.cluster != nil {
		c.cluster.rdb.ReloadState(ctx)
	}
}

// Sharded reports whether channel belongs to a slot of a cluster: it is heard
// by SSUBSCRIBE on the node that owns the slot. A single node has no shards,
// and channels without a partition tag reach the whole cluster.
func (c *Client) Sharded(channel string) bool {
	if c.cluster == nil {
		return false
	}
	_, ok := ParsePartitionTag(TagOf(channel))
	return ok
}

// TagOf is the hash tag in the name of a key or channel, braces included, or
// "" if it has none.
func TagOf(name string) string {
	from := strings.IndexByte(name, '{')
	if from < 0 {
		return ""
	}
	to := strings.IndexByte(name[from:], '}')
	if to < 0 {
		return ""
	}
	return name[from : from+to+1]
}
