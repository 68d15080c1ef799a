package command

import (
	"cmp"
	"context"
	"crypto/rand"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/identity"
	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

type createOptions struct {
	*app
	name        string
	broker      string
	displayName string
	operator    string
}

func newCreate(a *app) *cobra.Command {
	o := &createOptions{app: a}
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a mesh, and become its owner and first member",
		Long: "Make a mesh, and become its owner and first member.\n\n" +
			"All its keys are made on this machine. The broker is told the public ones.",
		Args: exactly("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			o.name = args[0]
			return o.run(c.Context())
		},
	}
	c.Flags().StringVar(&o.broker, "broker", "", "address of the broker, as `URL` (default $"+EnvBrokerURL+", else "+defaultBrokerURL+")")
	c.Flags().StringVar(&o.displayName, "display-name", "", "the `NAME` that others see (default the user's)")
	addOperatorFlag(c, &o.operator)
	return c
}

// membershipAnswer is what create and join say.
type membershipAnswer struct {
	MeshID    string `json:"meshId"`
	Slug      string `json:"slug"`
	MemberID  string `json:"memberId"`
	Pubkey    string `json:"pubkey"`
	BrokerURL string `json:"brokerUrl"`
}

func (o *createOptions) run(ctx context.Context) error {
	store, err := o.store()
	if err != nil {
		return err
	}
	config, err := store.Load() // before anything is made that could not be stored
	if err != nil {
		return err
	}
	if err := store.Make(); err != nil {
		return err
	}
	m, err := o.create(ctx, o.memberName(o.displayName, config))
	if err != nil {
		return err
	}
	if err := store.Update(func(c *identity.Config) error { m = *c.Add(m); return nil }); err != nil {
		return err
	}
	o.out.Say("mesh %s is made; invite others with: claudemesh invite", m.Slug)
	return o.answer(m)
}

// create makes the keys and has the broker make the mesh.
func (o *createOptions) create(ctx context.Context, displayName string) (identity.Mesh, error) {
	owner, err := identity.NewKey()
	if err != nil {
		return identity.Mesh{}, err
	}
	member, err := identity.NewKey()
	if err != nil {
		return identity.Mesh{}, err
	}
	broker, err := brokerAddress(cmp.Or(o.broker, o.env.Getenv(EnvBrokerURL), defaultBrokerURL))
	if err != nil {
		return identity.Mesh{}, err
	}
	m := identity.Mesh{BrokerURL: broker, JoinedAt: now()}
	m.OwnerPublicKey, m.OwnerSecretKey = identity.EncodeKey(owner)
	m.PublicKey, m.SecretKey = identity.EncodeKey(member)
	var root seal.Key
	rand.Read(root[:])
	m.SetRoot(root)
	in := wire.CreateMeshRequest{
		Name: o.name, OwnerPubkey: m.OwnerPublicKey, MemberPubkey: m.PublicKey, DisplayName: displayName,
	}
	if err := in.Check(); err != nil {
		return identity.Mesh{}, ui.Usagef("%s", plainWords(err)).Hinted("claudemesh create NAME, and perhaps --display-name NAME")
	}
	client := o.client(m.BrokerURL, owner)
	if client.Operator, err = o.operatorToken(o.operator); err != nil {
		return identity.Mesh{}, err
	}
	made, err := client.CreateMesh(ctx, &in)
	if err != nil {
		return identity.Mesh{}, err
	}
	if !wire.IsMeshID(made.MeshID) || made.MemberID == "" {
		return identity.Mesh{}, ui.Failf("the broker's answer names no mesh")
	}
	m.MeshID, m.MemberID = made.MeshID, made.MemberID
	m.Slug, m.Name = handle(made.Slug, made.MeshID), cmp.Or(made.Name, o.name)
	m.BrokerURL = publicAddress(m.BrokerURL, made.BrokerURL)
	return m, nil
}

// brokerAddress is the address that connections take. People also write the one
// that they see in a browser.
func brokerAddress(typed string) (string, error) {
	u, err := url.Parse(strings.TrimSpace(typed))
	if err != nil || u.Host == "" {
		return "", ui.Usagef("%q is no broker's address", typed).Hinted("it looks like %s", defaultBrokerURL)
	}
	switch u.Scheme {
	case "http":
		u.Scheme = "ws"
	case "https":
		u.Scheme = "wss"
	case "ws", "wss":
	default:
		return "", ui.Usagef("a broker's address begins with ws:// or wss://, not with %s://", u.Scheme).
			Hinted("it looks like %s", defaultBrokerURL)
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = wire.Path
	}
	return u.String(), nil
}

// publicAddress is the address that a broker gives for itself, unless it would
// trade an encrypted connection for an open one.
func publicAddress(used, given string) string {
	was, err := url.Parse(used)
	if err != nil {
		return used
	}
	is, err := url.Parse(given)
	if err != nil || is.Host == "" || is.Scheme != "wss" && is.Scheme != "ws" || was.Scheme == "wss" && is.Scheme == "ws" {
		return used
	}
	return given
}

// handle makes a local handle of a slug that somebody else chose: it becomes
// part of a path.
func handle(slug, meshID string) string {
	return cmp.Or(wire.Slug(slug), "mesh-"+wire.Slug(meshID[:8]))
}

// memberName is the name to enrol with.
func (a *app) memberName(chosen string, c *identity.Config) string {
	host, _ := os.Hostname() // without one, the next is as good
	name := cmp.Or(chosen, c.DisplayName, a.env.Getenv("USER"), host, "peer")
	return ui.CleanLine(name)
}

// answer says which membership there is now.
func (a *app) answer(m identity.Mesh) error {
	if a.out.JSON {
		return a.out.Answer(membershipAnswer{
			MeshID: m.MeshID, Slug: m.Slug, MemberID: m.MemberID, Pubkey: m.PublicKey, BrokerURL: m.BrokerURL,
		})
	}
	return a.out.Card(
		[]string{"mesh", "id", "member", "key", "broker"},
		[]string{m.Slug, m.MeshID, m.MemberID, m.PublicKey, ui.CleanLine(m.BrokerURL)},
	)
}

func now() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000Z") }
