package command

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"os"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/identity"
	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// onceTimeout bounds what a one-shot command does over its connection.
const onceTimeout = 30 * time.Second

// dialTries is how often a one-shot command tries to connect.
const dialTries = 3

// membership is the chosen mesh, and where to keep what we learn about it.
type membership struct {
	store *identity.Store
	out   *ui.Printer

	mu   sync.Mutex // guards mesh
	mesh identity.Mesh
}

// chosen returns the mesh that --mesh or the session around us names, or the
// only one.
func (a *app) chosen() (*membership, error) {
	store, err := a.store()
	if err != nil {
		return nil, err
	}
	config, err := store.Load()
	if err != nil {
		return nil, err
	}
	m, err := config.Choose(cmp.Or(a.mesh, a.env.Getenv(EnvMesh)))
	if err != nil {
		return nil, err
	}
	return &membership{store: store, out: a.out, mesh: *m}, nil
}

// owned returns the chosen mesh and its owner key.
func (a *app) owned() (*identity.Mesh, ed25519.PrivateKey, error) {
	m, err := a.chosen()
	if err != nil {
		return nil, nil, err
	}
	owner, ok, err := m.mesh.OwnerKey()
	if err != nil {
		return nil, nil, err
	}
	if !ok {
		return nil, nil, ui.Failf("only the owner of %s can do this", m.mesh.Slug).
			Hinted("the owner's key is where the mesh was created")
	}
	return &m.mesh, owner, nil
}

// groupMode implements peer.Options.GroupMode.
func (m *membership) groupMode() wire.GroupMode {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mesh.GroupMode()
}

// pin implements peer.Options.Policy.
func (m *membership) pin(p *wire.GroupPolicy) {
	m.mu.Lock()
	defer m.mu.Unlock()
	changed, err := m.mesh.Pin(p)
	if err != nil {
		m.out.Say("ignored what the broker says about groups: %s", plainWords(err))
		return
	}
	if !changed {
		return
	}
	err = m.store.Update(func(c *identity.Config) error {
		if entry := c.Joined(m.mesh.MeshID); entry != nil {
			_, err := entry.Pin(p)
			return err
		}
		return nil
	})
	if err != nil {
		m.out.Say("could not keep the mesh's setting: %s", plainWords(err))
	}
	if p.Mode == wire.GroupPlain {
		m.out.Say("the owner of %s has groups written in clear: the broker can read them", m.mesh.Slug)
	} else {
		m.out.Say("the owner of %s has groups sealed", m.mesh.Slug)
	}
}

// options are those of any connection to this mesh.
func (m *membership) options(about wire.About) (peer.Options, error) {
	member, err := m.mesh.MemberKey()
	if err != nil {
		return peer.Options{}, err
	}
	root, err := m.mesh.Root()
	if err != nil {
		return peer.Options{}, err
	}
	about.Hostname, _ = os.Hostname() // for people; empty is fine
	about.PID = wire.PID(os.Getpid())
	about.Channel = "claudemesh-cli"
	return peer.Options{
		URL: m.mesh.BrokerURL, MeshID: m.mesh.MeshID, MemberID: m.mesh.MemberID, Member: member, Root: root,
		About: about, GroupMode: m.groupMode, Policy: m.pin,
	}, nil
}

// once connects as the member, unseen, and calls f. It is no session, so it
// takes nobody's place; its name differs from run to run.
func (m *membership) once(ctx context.Context, dir string, f func(context.Context, *peer.Client) error) error {
	o, err := m.options(wire.About{SessionID: "once-" + wire.NewID(wire.ShortID), Cwd: dir, Transient: true})
	if err != nil {
		return err
	}
	o.MaxFailures = dialTries
	ctx, cancel := context.WithTimeout(ctx, onceTimeout)
	defer cancel()
	defer m.out.Busy("waiting for the broker of " + m.mesh.Slug)()
	client := peer.New(o)
	return peer.Do(ctx, client, func(ctx context.Context) error { return f(ctx, client) })
}
