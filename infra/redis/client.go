package redis

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

const (
	// DefaultPartitions is the number of partitions of a new installation. With
	// 64 tags some of 20 masters would stay empty.
	DefaultPartitions = 1024

	// partitionsKey holds the number of partitions, as decimal text, from the
	// first start on.
	partitionsKey = "claudemesh:partitions"

	// dialTimeout, ioTimeout and poolTimeout bound how long a caller can wait
	// for a server that does not answer.
	dialTimeout = 2 * time.Second
	ioTimeout   = 5 * time.Second
	poolTimeout = 5 * time.Second

	// openWithin bounds the first contact. A cluster whose addresses are wrong
	// would otherwise be looked for as long as one that is failing over.
	openWithin = 15 * time.Second
)

// ErrPartitions says that this Redis was first used with another number of
// partitions. Running on would look for every mesh in the wrong place.
var ErrPartitions = errors.New("redis: number of partitions differs from the stored one")

// Options says which server to use and how.
type Options struct {
	// URL is a redis://, rediss:// or unix:// address. Several, separated by
	// commas, are nodes of one cluster, of which one that answers is enough;
	// those behind the first may be written as host:port alone. A single
	// address that turns out to be a cluster's node is used as such.
	URL string

	// Partitions is the number asked for; 0 means the stored one, or
	// [DefaultPartitions] at the first start.
	Partitions int
}

// Client reaches one Redis, or one Redis Cluster. It is safe for concurrent
// use.
type Client struct {
	rdb        goredis.UniversalClient // single or cluster
	single     *goredis.Client         // nil in a cluster
	cluster    *cluster                // nil for a single node
	shared     pipelines
	confirm    committers
	partitions int
	plainLua   bool // the server does not know script flags
	db         int
}

// Open connects, agrees on the number of partitions and learns what the server
// can do. It returns an error that wraps [ErrPartitions] when the number
// differs from the stored one.
func Open(ctx context.Context, o Options) (*Client, error) {
	opt, addrs, err := parseURLs(o.URL)
	if err != nil {
		return nil, err
	}
	opt.MaxRetries = -1 // a repeated script is a duplicate message
	opt.DialTimeout, opt.ReadTimeout, opt.WriteTimeout = dialTimeout, ioTimeout, ioTimeout
	opt.PoolTimeout = poolTimeout
	opt.ContextTimeoutEnabled = true
	opt.DisableIdentity = true

	quiet()
	ctx, cancel := context.WithTimeout(ctx, openWithin)
	defer cancel()
	c := &Client{db: opt.DB}
	if err := c.connect(ctx, opt, addrs); err != nil {
		return nil, err
	}
	if err := c.prepare(ctx, o.Partitions); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// quiet keeps go-redis from writing to standard error, which belongs to the
// program: whatever it would say comes back as an error, too.
var quiet = sync.OnceFunc(func() { goredis.SetLogger(silence{}) })

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// connect finds out whether it is a cluster that answers.
func (c *Client) connect(ctx context.Context, opt *goredis.Options, addrs []string) error {
	if len(addrs) == 1 {
		single := goredis.NewClient(opt)
		info, err := single.Info(ctx, "cluster").Result()
		if err != nil && !isServerError(err) {
			return errors.Join(fmt.Errorf("redis: connect: %w", err), single.Close())
		}
		if !strings.Contains(info, "cluster_enabled:1") {
			c.single, c.rdb = single, single
			return nil
		}
		_ = single.Close() // it was only asked a question
	}
	if opt.DB != 0 {
		return errors.New("redis: address: a cluster has only database 0")
	}
	c.cluster = newCluster(opt, addrs)
	c.rdb = c.cluster.rdb
	return nil
}

func (c *Client) prepare(ctx context.Context, asked int) error {
	if err := c.rdb.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("redis: connect: %w", err)
	}
	if err := c.agreeOnPartitions(ctx, asked); err != nil {
		return err
	}
	err := c.rdb.Eval(ctx, "#!lua\nreturn 1", nil).Err()
	if err != nil && !isServerError(err) {
		return fmt.Errorf("redis: try a script: %w", err)
	}
	c.plainLua = err != nil
	return nil
}

func (c *Client) agreeOnPartitions(ctx context.Context, asked int) error {
	first := asked
	if first == 0 {
		first = DefaultPartitions
	}
	if err := c.rdb.SetNX(ctx, partitionsKey, first, 0).Err(); err != nil {
		return fmt.Errorf("redis: store partitions: %w", err)
	}
	stored, err := c.rdb.Get(ctx, partitionsKey).Int()
	if err != nil {
		return fmt.Errorf("redis: read partitions: %w", err)
	}
	if asked != 0 && asked != stored {
		return fmt.Errorf("%w: %d asked for, %d stored", ErrPartitions, asked, stored)
	}
	c.partitions = stored
	return nil
}

// Close ends all connections.
func (c *Client) Close() error {
	if c.cluster != nil {
		return c.cluster.close()
	}
	return c.single.Close()
}

// Raw gives the go-redis client, for commands that no pipeline is to be shared
// with. In a cluster it follows slots as they move; nothing that may have run
// is repeated.
func (c *Client) Raw() goredis.UniversalClient { return c.rdb }

// Do runs one command through the shared pipeline. Its first argument is the
// key, or the channel, by which a cluster routes it.
func (c *Client) Do(ctx context.Context, args ...any) *goredis.Cmd {
	key := ""
	if len(args) > 1 {
		key, _ = args[1].(string)
	}
	return c.run(ctx, key, args)
}

// Publish rings channel with message wherever it is listened to.
func (c *Client) Publish(ctx context.Context, channel, message string) error {
	return c.Do(ctx, c.PublishVerb(channel), channel, message).Err()
}

// PublishVerb is the command that rings channel.
func (c *Client) PublishVerb(channel string) string {
	if c.Sharded(channel) {
		return "SPUBLISH"
	}
	return "PUBLISH"
}

// DB is the number of the logical database, as it appears in the names of
// keyspace channels.
func (c *Client) DB() int { return c.db }

// Partitions is the number of partitions of this installation.
func (c *Client) Partitions() int { return c.partitions }

// Partition tells which partition a mesh lives in, from 0.
func (c *Client) Partition(mesh string) int {
	return int(crc32.ChecksumIEEE([]byte(mesh)) % uint32(c.partitions))
}

// Tag is the hash tag of a mesh's keys, braces included: "{p17}".
func (c *Client) Tag(mesh string) string { return PartitionTag(c.Partition(mesh)) }

// PartitionTag is the hash tag of a partition, braces included.
func PartitionTag(n int) string { return "{p" + strconv.Itoa(n) + "}" }

// ParsePartitionTag is the inverse of [PartitionTag].
func ParsePartitionTag(tag string) (n int, ok bool) {
	digits, ok := strings.CutPrefix(tag, "{p")
	if digits, ok = cutSuffixIf(ok, digits, "}"); !ok {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	return n, err == nil && n >= 0 && strconv.Itoa(n) == digits
}

func cutSuffixIf(ok bool, s, suffix string) (string, bool) {
	if !ok {
		return "", false
	}
	return strings.CutSuffix(s, suffix)
}

// MeshBell is the channel on which every edge with a socket in the mesh hears
// journal entries and notices to the whole mesh.
func (c *Client) MeshBell(mesh string) string { return "bell:" + c.Tag(mesh) + ":" + mesh }

// EdgeBell is the channel on which one edge hears of direct messages for the
// peers of a mesh that it holds.
func (c *Client) EdgeBell(mesh, edge string) string { return c.MeshBell(mesh) + ":" + edge }
