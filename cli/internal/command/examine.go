package command

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/identity"
	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
)

const (
	skewWarned = 10 * time.Second // of the 60 s that brokers allow
	skewBroken = 60 * time.Second
	slowTrip   = 500 * time.Millisecond
	certSoon   = 14 * 24 * time.Hour
)

// examineFiles looks at the config and the keys in it, and returns the meshes
// whose further checks make sense.
func (a *app) examineFiles() ([]finding, []*membership) {
	store, err := a.store()
	if err != nil {
		return []finding{a.failed("configuration", err)}, nil
	}
	config, err := store.Load()
	if err != nil {
		return []finding{a.failed("configuration", err)}, nil
	}
	findings := []finding{directoryMode(store)}
	if len(config.Meshes) == 0 {
		return append(findings, finding{
			Check: "configuration", Verdict: warned, Detail: "no mesh joined yet", Remedy: "claudemesh join LINK, or claudemesh create NAME",
		}), nil
	}
	findings = append(findings, finding{Check: "configuration", Verdict: fine, Detail: store.ConfigPath()})
	if a.mesh != "" {
		m, err := config.Choose(a.mesh)
		if err != nil {
			return append(findings, a.failed("mesh", err)), nil
		}
		config.Meshes = []identity.Mesh{*m}
	}
	var meshes []*membership
	for _, m := range config.Meshes {
		meshes = append(meshes, &membership{store: store, out: a.out, mesh: m})
	}
	return findings, meshes
}

// directoryMode tells whether others can see what is in the directory. The
// files in it are refused when they are open; names are not secret.
func directoryMode(store *identity.Store) finding {
	f := finding{Check: "directory", Verdict: fine, Detail: store.Dir()}
	info, err := os.Stat(store.Dir())
	if errors.Is(err, fs.ErrNotExist) {
		f.Detail = store.Dir() + " is not there yet"
	}
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		f.Verdict, f.Detail = warned, fmt.Sprintf("%s can be read by others (mode %04o)", store.Dir(), info.Mode().Perm())
		f.Remedy = "chmod 700 " + store.Dir()
	}
	return f
}

// failed words an error as a finding.
func (a *app) failed(check string, err error) finding {
	f := a.explain(err)
	return finding{Check: check, Verdict: broken, Detail: f.Message, Remedy: f.Hint}
}

// examineMesh makes the checks of one mesh. Those behind one that fails would
// fail for the same reason, and are left out.
func (a *app) examineMesh(ctx context.Context, m *membership) []finding {
	findings := []finding{a.keys(m)}
	broker, up := a.broker(ctx, m.mesh.BrokerURL)
	findings = append(findings, broker...)
	if findings[0].Verdict != broken && up {
		findings = append(findings, a.membership(ctx, m)...)
	}
	return append(findings, groupKey(m.mesh), a.listener(m))
}

// keys checks that keys can be read and belong together.
func (a *app) keys(m *membership) finding {
	if _, err := m.mesh.MemberKey(); err != nil {
		return finding{
			Check: "keys", Verdict: broken, Detail: "the member's key pair is damaged",
			Remedy: "claudemesh restore FILE, or leave and join again",
		}
	}
	if _, _, err := m.mesh.OwnerKey(); err != nil {
		return finding{Check: "keys", Verdict: broken, Detail: "the owner's key pair is damaged", Remedy: "claudemesh restore FILE"}
	}
	sessions, err := m.store.Sessions(m.mesh.Slug)
	if err != nil {
		return a.failed("keys", err)
	}
	return finding{
		Check: "keys", Verdict: fine,
		Detail: fmt.Sprintf("member %s, %d %s", short(m.mesh.PublicKey), len(sessions), plural(len(sessions), "session", "sessions")),
	}
}

// broker asks the broker over HTTP, which also tells its clock and its
// certificate. It reports whether the rest is worth trying.
func (a *app) broker(ctx context.Context, address string) ([]finding, bool) {
	base, err := wire.HTTPAddress(address)
	if err != nil {
		return []finding{{
			Check: "broker", Verdict: broken, Detail: ui.CleanLine(address) + " is no address",
			Remedy: "it looks like " + defaultBrokerURL + "; put it right in the configuration",
		}}, false
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/health", nil)
	if err != nil {
		return []finding{a.failed("broker", err)}, false
	}
	before := time.Now()
	res, err := httpClient.Do(req)
	if err != nil {
		return []finding{unreachable(address, err)}, false
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, wire.MaxHTTPBody))
	findings := []finding{health(address, res.StatusCode), certificate(address, res.TLS, time.Now())}
	if date, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		findings = append(findings, clock(date, before, time.Now()))
	}
	return findings, true
}

// unreachable says which step on the way to the broker failed.
func unreachable(address string, err error) finding {
	f := finding{Check: "broker", Verdict: broken, Detail: address + " does not answer", Remedy: "is the broker running, and its address right?"}
	var name *net.DNSError
	var wrong *tls.CertificateVerificationError
	var refused *net.OpError
	switch {
	case errors.As(err, &name):
		f.Detail, f.Remedy = "there is no host "+name.Name, "is the network up, and the address right?"
	case errors.As(err, &wrong):
		f.Check, f.Detail = "TLS", plainWords(wrong)
		f.Remedy = "somebody may stand between you and the broker; ask who runs it"
	case errors.As(err, &refused):
		f.Detail = address + ": " + plainWords(refused.Err)
	}
	return f
}

func health(address string, status int) finding {
	switch status {
	case http.StatusOK:
		return finding{Check: "broker", Verdict: fine, Detail: address}
	case http.StatusServiceUnavailable:
		return finding{
			Check: "broker", Verdict: warned, Detail: address + " says that it is not well",
			Remedy: "try again in a minute; then ask who runs it",
		}
	}
	return finding{
		Check: "broker", Verdict: warned, Detail: fmt.Sprintf("%s answers with status %d", address, status),
		Remedy: "is it a claudemesh broker, and its address right?",
	}
}

// certificate looks at what the way to the broker is worth. Contents are
// sealed on any; who talks to whom is seen on an open one.
func certificate(address string, state *tls.ConnectionState, now time.Time) finding {
	f := finding{Check: "TLS", Verdict: fine}
	u, err := url.Parse(address)
	switch {
	case state != nil && len(state.PeerCertificates) > 0:
		until := state.PeerCertificates[0].NotAfter
		f.Detail = "certificate good until " + until.Format(time.DateOnly)
		if until.Sub(now) < certSoon {
			f.Verdict, f.Remedy = warned, "tell who runs the broker that it has to be renewed"
		}
	case err == nil && loopback(u.Hostname()):
		f.Detail = "not needed on this machine"
	default:
		f.Verdict, f.Detail = warned, "the connection is open: others on the way see who talks to whom"
		f.Remedy = "use a broker with a wss:// address"
	}
	return f
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// clock compares the broker's clock with ours. It tells whole seconds, so it
// cannot be more exact than one.
func clock(date, before, after time.Time) finding {
	ours := before.Add(after.Sub(before) / 2)
	skew := ours.Sub(date.Add(500 * time.Millisecond)).Round(time.Second)
	f := finding{Check: "clock", Verdict: fine, Detail: "agrees with the broker's"}
	if skew.Abs() >= skewWarned {
		f.Verdict, f.Detail = warned, fmt.Sprintf("%v from the broker's", skew)
		f.Remedy = "set the clock of this machine: brokers refuse from 60 s on"
	}
	if skew.Abs() >= skewBroken {
		f.Verdict = broken
	}
	return f
}

// membership says hello, unseen, and measures a round trip.
func (a *app) membership(ctx context.Context, m *membership) []finding {
	var trip time.Duration
	err := m.once(ctx, a.env.Dir, func(ctx context.Context, c *peer.Client) error {
		before := time.Now()
		_, err := c.ListPeers(ctx)
		trip = time.Since(before)
		return err
	})
	if err != nil {
		return []finding{a.failed("membership", err)}
	}
	f := finding{Check: "round trip", Verdict: fine, Detail: trip.Round(100 * time.Microsecond).String()}
	if trip > slowTrip {
		f.Verdict, f.Remedy = warned, "the way to the broker is slow, or the broker is"
	}
	return []finding{{Check: "membership", Verdict: fine, Detail: "admitted by the broker"}, f}
}

func groupKey(m identity.Mesh) finding {
	root, err := m.Root()
	switch {
	case err != nil:
		return finding{
			Check: "group key", Verdict: broken, Detail: "the mesh's root key is damaged",
			Remedy: "claudemesh restore FILE, or leave and join again",
		}
	case root != nil && m.GroupMode() == wire.GroupPlain:
		return finding{Check: "group key", Verdict: warned, Detail: "the owner has groups written in clear: the broker can read them"}
	case root != nil:
		return finding{Check: "group key", Verdict: fine, Detail: "groups are sealed"}
	}
	return finding{
		Check: "group key", Verdict: warned, Detail: "not on this machine: groups can be neither written nor read",
		Remedy: "ask for an invite made without --no-key, and claudemesh join LINK again",
	}
}

// listener tells whether this directory is present. It need not be.
func (a *app) listener(m *membership) finding {
	f := finding{Check: "listener", Verdict: fine, Detail: "none for this directory; claudemesh listen, or launch, is one"}
	for _, id := range a.sessionIDs("") {
		path, err := m.store.SocketPath(m.mesh.Slug, id)
		if err != nil {
			return a.failed("listener", err)
		}
		if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
			_ = conn.Close()
			f.Detail = "speaks for this directory"
			return f
		}
	}
	return f
}

// examineClaude looks at what claudemesh install has put in.
func (a *app) examineClaude() []finding {
	home, err := a.claudeHome()
	if err != nil {
		return []finding{a.failed("Claude Code", err)}
	}
	scopes, server, err := home.Registered(a.env.Dir)
	if err != nil {
		return []finding{a.failed("Claude Code", err)}
	}
	if len(scopes) == 0 {
		return []finding{{Check: "Claude Code", Verdict: warned, Detail: "does not know claudemesh", Remedy: "claudemesh install"}}
	}
	f := finding{Check: "Claude Code", Verdict: fine, Detail: fmt.Sprintf("starts %s (%s)", server.Command, scopes[len(scopes)-1])}
	if _, err := exec.LookPath(server.Command); err != nil {
		f.Verdict, f.Detail = broken, fmt.Sprintf("is to start %s, which is not there", server.Command)
		f.Remedy = "claudemesh install"
		if !filepath.IsAbs(server.Command) {
			f.Remedy = "put claudemesh on the PATH: npm install -g claudemesh"
		}
	}
	return []finding{f}
}
