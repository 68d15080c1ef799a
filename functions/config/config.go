package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"text/tabwriter"

	"github.com/kelseyhightower/envconfig"

	"github.com/claudemesh/claudemesh/functions/admin"
	"github.com/claudemesh/claudemesh/infra/redis"
)

// prefix is what the name of every variable begins with.
const prefix = "functions"

// Config comes from the environment: FUNCTIONS_ and the field's name in snake
// case. On Lambda a secret may be written as secret:ARN; see [Config.Resolve].
type Config struct {
	Addr     string `split_words:"true" desc:"address to listen on, such as :7910; required where this does not run on Lambda"`
	RedisURL Secret `split_words:"true" default:"redis://127.0.0.1:6379" desc:"redis://, rediss:// or unix:// address; several, separated by commas, are nodes of a cluster; on Lambda also secret:ARN"`

	PublicURL string `split_words:"true" desc:"address that peers and browsers reach the fleet under, https://HOST; as written into answers and pages"`

	MeshCreation  admin.Creation `split_words:"true" default:"open" desc:"who may create a mesh: open, token or closed"`
	OperatorToken Secret         `split_words:"true" desc:"the operator's own key: asked for by token above, by restore and by fleet; 16 characters or more; on Lambda also secret:ARN"`

	Proxies   int    `split_words:"true" default:"0" desc:"how many own proxies write X-Forwarded-For; with edges that forward through a balancer: 2"`
	EdgeToken Secret `split_words:"true" desc:"what edges show, as EDGE_FUNCTIONS_TOKEN, to be believed about their clients' addresses; for functions that others reach too; on Lambda also secret:ARN"`
}

// Secret is a configuration value that never shows in logs or errors.
type Secret string

// String hides the value.
func (Secret) String() string { return "[secret]" }

// GoString hides the value.
func (Secret) GoString() string { return "[secret]" }

// LogValue hides the value.
func (Secret) LogValue() slog.Value { return slog.StringValue("[secret]") }

// minOperatorToken, of that token and of the edges', is long enough that nobody
// guesses it.
const minOperatorToken = 16

// Load reads and checks the environment, all but the secrets that it only names.
// Its error names every problem, so that a deployment is corrected in one round.
func Load() (Config, error) {
	var c Config
	if err := envconfig.Process(prefix, &c); err != nil {
		return Config{}, fmt.Errorf("functions: config: %w", err)
	}
	return c, errors.Join(envconfig.CheckDisallowed(prefix, &c), c.check())
}

// tooShort says so of a token, unless it is only named yet.
func (s Secret) tooShort() bool { return s != "" && !s.isName() && len(s) < minOperatorToken }

func (c *Config) check() error {
	var problems []error
	wrong := func(bad bool, problem string) {
		if bad {
			problems = append(problems, errors.New("functions: config: "+problem))
		}
	}
	wrong(!c.RedisURL.isName() && redis.CheckURL(string(c.RedisURL)) != nil, "FUNCTIONS_REDIS_URL is not an address such as redis://127.0.0.1:6379, or several separated by commas")
	u, err := url.Parse(c.PublicURL)
	wrong(c.PublicURL != "" && (err != nil || u.Host == "" || httpScheme(u.Scheme) == ""), "FUNCTIONS_PUBLIC_URL is not an address such as https://mesh.example")
	wrong(c.OperatorToken.tooShort(), "FUNCTIONS_OPERATOR_TOKEN needs 16 characters or more")
	wrong(c.MeshCreation == admin.CreationToken && c.OperatorToken == "", "FUNCTIONS_MESH_CREATION=token needs FUNCTIONS_OPERATOR_TOKEN")
	wrong(c.Proxies < 0, "FUNCTIONS_PROXIES is negative")
	wrong(c.EdgeToken.tooShort(), "FUNCTIONS_EDGE_TOKEN needs 16 characters or more")
	return errors.Join(problems...)
}

// OperatorTokenHash is the hash by which the token is compared, "" if there
// is none.
func (c *Config) OperatorTokenHash() string {
	if c.OperatorToken == "" {
		return ""
	}
	return admin.HashOperatorToken(string(c.OperatorToken))
}

// BrokerURL is where peers connect by WebSocket, "" if PublicURL is not set.
func (c *Config) BrokerURL() string {
	if c.PublicURL == "" {
		return ""
	}
	return "ws" + strings.TrimPrefix(c.WebURL(), "http") + "/ws"
}

// WebURL is PublicURL as a browser writes it, without a path.
func (c *Config) WebURL() string {
	u, err := url.Parse(c.PublicURL)
	if err != nil || u.Host == "" {
		return ""
	}
	return httpScheme(u.Scheme) + "://" + u.Host
}

func httpScheme(scheme string) string {
	switch scheme {
	case "http", "ws":
		return "http"
	case "https", "wss":
		return "https"
	}
	return ""
}

// Usage writes what can be set, for people.
func Usage(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	const format = "{{range .}}{{usage_key .}}\t{{usage_default .}}\t{{usage_description .}}\n{{end}}"
	if err := envconfig.Usagef(prefix, &Config{}, t, format); err != nil {
		return fmt.Errorf("functions: usage: %w", err)
	}
	return t.Flush()
}
