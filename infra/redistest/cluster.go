package redistest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/claudemesh/claudemesh/infra/redis"
)

const (
	// nodeTimeout is after how long the nodes of a cluster take one of them for
	// dead. Much shorter, and a busy machine has fail-overs by itself.
	nodeTimeout = 1500 * time.Millisecond

	// slots is the number of slots of any cluster.
	slots = 16384

	// clusterWithin bounds the time for a cluster to agree on something.
	clusterWithin = 30 * time.Second

	// launches bounds the attempts to find ports that nobody else takes.
	launches = 5
)

// errPorts says that somebody else took a port first.
var errPorts = errors.New("redistest: port in use")

// Cluster is a running Redis Cluster of one test: masters first, then their
// replicas. Nodes keep their index whatever becomes of their role.
type Cluster struct {
	tb      testing.TB
	host    string // the address of all nodes
	masters int
	nodes   []*node
}

// node is one process of a cluster.
type node struct {
	*process
	id        string
	host      string
	port, bus int
	dir       string
	rdb       *goredis.Client
}

func (n *node) addr() string { return net.JoinHostPort(n.host, strconv.Itoa(n.port)) }

// StartCluster starts a cluster of masters with that many replicas each, with
// the production configuration. It stops when the test ends.
func StartCluster(tb testing.TB, masters, replicas int) *Cluster {
	tb.Helper()
	for attempt := 1; ; attempt++ {
		host := ownHost()
		c := &Cluster{tb: tb, host: host, masters: masters, nodes: newNodes(tb, host, masters*(1+replicas))}
		tb.Cleanup(c.stop) // before the directories, which were made first, are removed
		err := c.launch()
		if err == nil {
			return c
		}
		c.stop()
		if !errors.Is(err, errPorts) || attempt == launches {
			tb.Fatalf("redistest: cluster: %v", err)
		}
	}
}

// ownHost is a loopback address that nobody else uses: the ports of a node that
// is dead for a while must not go to the next cluster. Elsewhere than on Linux
// there is one for all.
func ownHost() string {
	if runtime.GOOS != "linux" {
		return "127.0.0.1"
	}
	return fmt.Sprintf("127.%d.%d.%d", 192+rand.N(63), rand.N(256), 1+rand.N(254))
}

// newNodes chooses ports. They are below those that the system gives to outgoing
// connections, which would take them again at once. Ids are of this cluster
// alone, so that nodes of two never take each other for their own.
func newNodes(tb testing.TB, host string, count int) []*node {
	tb.Helper()
	cluster := rand.Uint64()
	nodes := make([]*node, count)
	for i := range nodes {
		n := &node{id: fmt.Sprintf("%016x%024x", cluster, i+1), host: host, port: freePort(host), bus: freePort(host), dir: tb.TempDir()}
		n.rdb = direct(n.addr())
		nodes[i] = n
	}
	return nodes
}

// direct reaches one node and nobody else.
func direct(addr string) *goredis.Client {
	return goredis.NewClient(&goredis.Options{Addr: addr, MaxRetries: -1, DisableIdentity: true, DialerRetries: 1})
}

func freePort(host string) int {
	for {
		port := 10_000 + rand.N(22_000)
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err == nil && l.Close() == nil {
			return port
		}
	}
}

// launch starts the nodes. They find each other in the file that each keeps
// about its cluster, so that no time goes into introductions.
func (c *Cluster) launch() error {
	for i, n := range c.nodes {
		if err := os.WriteFile(filepath.Join(n.dir, "nodes.conf"), []byte(c.view(i)), 0o600); err != nil {
			return err
		}
		c.begin(n)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.tb.Context()), clusterWithin)
	defer cancel()
	for i, n := range c.nodes {
		if err := c.await(ctx, func() error { return c.ready(ctx, i) }, n); err != nil {
			return err
		}
	}
	return nil
}

// view is what node i knows of the cluster at its first start.
func (c *Cluster) view(i int) string {
	var b strings.Builder
	for j, n := range c.nodes {
		flags, master, owned := "master", "-", ""
		if j < c.masters {
			owned = fmt.Sprintf(" %d-%d", slots*j/c.masters, slots*(j+1)/c.masters-1)
		} else {
			flags, master = "slave", c.nodes[j%c.masters].id
		}
		if j == i {
			flags = "myself," + flags
		}
		fmt.Fprintf(&b, "%s %s@%d %s %s 0 0 %d connected%s\n", n.id, n.addr(), n.bus, flags, master, j%c.masters+1, owned)
	}
	fmt.Fprintf(&b, "vars currentEpoch %d lastVoteEpoch 0\n", c.masters)
	return b.String()
}

func (c *Cluster) begin(n *node) {
	c.tb.Helper()
	n.process = begin(c.tb, redis.Conf+fmt.Sprintf(`
bind %s
cluster-announce-ip %[1]s
port %d
cluster-port %d
cluster-enabled yes
cluster-config-file nodes.conf
cluster-node-timeout %d
cluster-replica-validity-factor 0
cluster-require-full-coverage no
repl-diskless-sync-delay 0
repl-backlog-size 1mb
dir %s
loglevel warning
`, n.host, n.port, n.bus, nodeTimeout.Milliseconds(), n.dir))
}

// ready reports why node i does not serve as it should.
func (c *Cluster) ready(ctx context.Context, i int) error {
	if err := c.nodes[i].listening(); err != nil {
		return err // go-redis would log it
	}
	id, err := c.nodes[i].rdb.ClusterMyID(ctx).Result()
	if err == nil && id != c.nodes[i].id {
		err = fmt.Errorf("node %d is %s, of another cluster", i, id)
	}
	if err != nil {
		return err
	}
	info, err := c.nodes[i].rdb.ClusterInfo(ctx).Result()
	if err != nil {
		return err
	}
	if !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d", len(c.nodes))) {
		return fmt.Errorf("node %d: %s", i, info)
	}
	role, err := c.role(ctx, i)
	if err == nil && i >= c.masters && role != "slave connected" {
		err = fmt.Errorf("node %d is %s", i, role)
	}
	return err
}

func (n *node) listening() error {
	conn, err := net.Dial("tcp", n.addr())
	if err != nil {
		return err
	}
	return conn.Close()
}

// role is "master", or "slave" and the state of its link.
func (c *Cluster) role(ctx context.Context, i int) (string, error) {
	answer, err := c.nodes[i].rdb.Do(ctx, "ROLE").Slice()
	if err != nil {
		return "", err
	}
	if answer[0] == "slave" {
		return fmt.Sprint("slave ", answer[3]), nil
	}
	return fmt.Sprint(answer[0]), nil
}

// await repeats check until it returns nil. A node that ends meanwhile, if one
// is given, ends it.
func (c *Cluster) await(ctx context.Context, check func() error, n *node) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		if n != nil && n.ended() {
			return fmt.Errorf("%w: %s", errPorts, n.output.String())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("not in time: %w", err)
		}
	}
}

func (c *Cluster) stop() {
	for _, n := range c.nodes {
		if n.process != nil {
			n.end(syscall.SIGKILL)
		}
		_ = n.rdb.Close()
	}
}

// URL lists the addresses of all nodes.
func (c *Cluster) URL() string {
	addrs := make([]string, len(c.nodes))
	for i, n := range c.nodes {
		addrs[i] = n.addr()
	}
	return "redis://" + strings.Join(addrs, ",")
}

// Client connects to the cluster; the connection ends with the test.
func (c *Cluster) Client(tb testing.TB) *redis.Client { return Connect(tb, c.URL()) }

// Node gives direct access to node i.
func (c *Cluster) Node(i int) *goredis.Client { return c.nodes[i].rdb }
