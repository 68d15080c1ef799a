package edge

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/kelseyhightower/envconfig"

	"github.com/claudemesh/claudemesh/infra/redis"
)

// prefix is what the name of every variable begins with.
const prefix = "edge"

// Config comes from the environment: EDGE_ and the field's name in snake case.
//
// Field names are split by tag rather than spelled out, because envconfig falls
// back to the unprefixed variable where a name is given.
type Config struct {
	Addr        string `split_words:"true" default:":7900" desc:"address to listen on"`
	MetricsAddr string `split_words:"true" desc:"address for /metrics alone, such as 127.0.0.1:7901; empty serves it with everything else"`
	RedisURL    Secret `split_words:"true" default:"redis://127.0.0.1:6379" desc:"redis://, rediss:// or unix:// address; several, separated by commas, are nodes of a cluster"`

	AckReplicas int `split_words:"true" default:"0" desc:"replicas of Redis that must have a message before its sender is acked"`

	TLSCert string `split_words:"true" desc:"file with the TLS certificate chain; empty if TLS ends elsewhere"`
	TLSKey  Secret `split_words:"true" desc:"file with the key of the certificate"`

	ProxyProtocol string `split_words:"true" desc:"networks of balancers that tell the client's address by the PROXY protocol, version 2, as CIDR blocks separated by commas"`

	PublicURL string `split_words:"true" desc:"address that peers reach this fleet under, as written into answers; optional"`

	LeaseTTL   time.Duration `split_words:"true" default:"90s" desc:"how long a peer that lost its socket is kept"`
	RenewEvery time.Duration `split_words:"true" default:"30s" desc:"how often a held lease is renewed"`
	PingEvery  time.Duration `split_words:"true" default:"30s" desc:"how often a socket is pinged; silent for 2.5 times that, it is cut"`

	HelloWithin time.Duration `split_words:"true" default:"5s" desc:"how long a socket may stay without a handshake"`
	DrainWithin time.Duration `split_words:"true" default:"20s" desc:"how long a stopping edge waits for its peers to move"`

	ResumeKeys Secret `split_words:"true" desc:"keys of resume tokens, 32 characters or more, separated by commas: the first makes them, all are accepted; empty: one that the fleet shares in Redis"`

	MaxConnectionsPerMesh int `split_words:"true" default:"100" desc:"present peers of one mesh; reattaching never counts"`
	MaxStrangers          int `split_words:"true" default:"4096" desc:"sockets that have not said hello"`
	AdmitRate             int `split_words:"true" default:"500" desc:"handshakes a second; more wait in line"`

	SendRate  int `split_words:"true" default:"60" desc:"messages a minute of one member"`
	SendBurst int `split_words:"true" default:"10" desc:"messages of one member at once"`

	WatchAllow string `split_words:"true" desc:"networks that URL watches may reach though they are not public, as CIDR blocks separated by commas"`

	Functions      string `split_words:"true" default:"inprocess" desc:"inprocess: serve invites and administration here; off: do not; else the http:// address to forward to, or two, of invites and of administration"`
	FunctionsToken Secret `split_words:"true" desc:"what functions elsewhere know as FUNCTIONS_EDGE_TOKEN: by it they believe the client's address that this edge tells"`
	MeshCreation   string `split_words:"true" default:"open" desc:"who may create a mesh: open, token or closed"`
	OperatorToken  Secret `split_words:"true" desc:"what EDGE_MESH_CREATION=token asks for, 16 characters or more"`
}

// Secret is a configuration value that never shows in logs or errors.
type Secret string

// String hides the value.
func (Secret) String() string { return "[secret]" }

// GoString hides the value.
func (Secret) GoString() string { return "[secret]" }

// LogValue hides the value.
func (Secret) LogValue() slog.Value { return slog.StringValue("[secret]") }

// LoadConfig reads and checks the environment. Its error names every problem,
// so that a deployment is corrected in one round.
func LoadConfig() (Config, error) {
	var c Config
	if err := envconfig.Process(prefix, &c); err != nil {
		return Config{}, fmt.Errorf("edge: config: %w", err)
	}
	return c, errors.Join(envconfig.CheckDisallowed(prefix, &c), c.check())
}

// DefaultConfig is what an empty environment gives.
func DefaultConfig() Config {
	return Config{
		Addr: ":7900", RedisURL: "redis://127.0.0.1:6379",
		LeaseTTL: 90 * time.Second, RenewEvery: 30 * time.Second, PingEvery: 30 * time.Second,
		HelloWithin: 5 * time.Second, DrainWithin: 20 * time.Second, MaxConnectionsPerMesh: 100, MaxStrangers: 4096, AdmitRate: 500,
		SendRate: 60, SendBurst: 10, Functions: functionsInProcess, MeshCreation: creationOpen,
	}
}

// Usage writes what can be set, for people.
func Usage(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	const format = "{{range .}}{{usage_key .}}\t{{usage_default .}}\t{{usage_description .}}\n{{end}}"
	if err := envconfig.Usagef(prefix, &Config{}, t, format); err != nil {
		return fmt.Errorf("edge: usage: %w", err)
	}
	return t.Flush()
}

const (
	functionsInProcess = "inprocess"
	functionsOff       = "off"

	creationOpen   = "open"
	creationToken  = "token"
	creationClosed = "closed"

	// maxAckReplicas is more than any shard has; a larger number is a mistake.
	maxAckReplicas = 5

	// minOperatorToken is long enough that nobody guesses it.
	minOperatorToken = 16
)

// check names everything that is wrong.
func (c Config) check() error {
	var problems []error
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			problems = append(problems, fmt.Errorf("edge: config: "+format, args...))
		}
	}
	wrong(redis.CheckURL(string(c.RedisURL)) != nil, "EDGE_REDIS_URL is not an address such as redis://127.0.0.1:6379, or several separated by commas")
	wrong(c.AckReplicas < 0 || c.AckReplicas > maxAckReplicas, "EDGE_ACK_REPLICAS must be between 0 and %d", maxAckReplicas)
	wrong(c.Addr == "", "EDGE_ADDR is empty")
	wrong(c.MetricsAddr == c.Addr && c.Addr != "", "EDGE_METRICS_ADDR is the same as EDGE_ADDR")
	wrong(!goodResumeKeys(c.ResumeKeys), "EDGE_RESUME_KEYS takes %d keys or less, of %d characters or more", maxResumeKeys, minResumeKey)
	wrong((c.TLSCert == "") != (c.TLSKey == ""), "EDGE_TLS_CERT and EDGE_TLS_KEY go together")
	if !oneOf(c.Functions, functionsInProcess, functionsOff) {
		_, err := parseFunctions(c.Functions)
		wrong(err != nil, "EDGE_FUNCTIONS must be inprocess, off, or an address to forward to: %v", err)
	}
	wrong(c.FunctionsToken != "" && len(c.FunctionsToken) < minOperatorToken,
		"EDGE_FUNCTIONS_TOKEN needs %d characters or more", minOperatorToken)
	wrong(!oneOf(c.MeshCreation, creationOpen, creationToken, creationClosed), "EDGE_MESH_CREATION must be open, token or closed")
	wrong(c.MeshCreation == creationToken && len(c.OperatorToken) < minOperatorToken,
		"EDGE_OPERATOR_TOKEN needs %d characters or more", minOperatorToken)
	_, err := parseNetworks(c.WatchAllow)
	wrong(err != nil, "EDGE_WATCH_ALLOW must be CIDR blocks separated by commas: %v", err)
	_, err = parseNetworks(c.ProxyProtocol)
	wrong(err != nil, "EDGE_PROXY_PROTOCOL must be CIDR blocks separated by commas: %v", err)
	for name, d := range map[string]time.Duration{
		"EDGE_LEASE_TTL": c.LeaseTTL, "EDGE_RENEW_EVERY": c.RenewEvery,
		"EDGE_PING_EVERY": c.PingEvery, "EDGE_HELLO_WITHIN": c.HelloWithin, "EDGE_DRAIN_WITHIN": c.DrainWithin,
	} {
		wrong(d <= 0, "%s must be longer than nothing", name)
	}
	for name, n := range map[string]int{
		"EDGE_MAX_CONNECTIONS_PER_MESH": c.MaxConnectionsPerMesh, "EDGE_MAX_STRANGERS": c.MaxStrangers,
		"EDGE_ADMIT_RATE": c.AdmitRate, "EDGE_SEND_RATE": c.SendRate, "EDGE_SEND_BURST": c.SendBurst,
	} {
		wrong(n < 1, "%s must be at least 1", name)
	}
	wrong(c.RenewEvery > c.LeaseTTL/2, "EDGE_RENEW_EVERY must be at most half of EDGE_LEASE_TTL")
	wrong(c.DrainWithin >= c.LeaseTTL, "EDGE_DRAIN_WITHIN must be shorter than EDGE_LEASE_TTL, or a deploy is seen as a departure")
	return errors.Join(problems...)
}

// parseNetworks reads CIDR blocks separated by commas.
func parseNetworks(list string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for block := range strings.SplitSeq(list, ",") {
		if block = strings.TrimSpace(block); block == "" {
			continue
		}
		p, err := netip.ParsePrefix(block)
		if err != nil {
			return nil, fmt.Errorf("edge: config: %w", err)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

func oneOf(s string, choices ...string) bool {
	for _, c := range choices {
		if s == c {
			return true
		}
	}
	return false
}
