package command

import (
	"context"
	"net/http"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

func newMesh(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "mesh",
		Short: "Settings of a mesh you own",
		Args:  noArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newMeshSettings(a))
	return c
}

type settingsOptions struct {
	*app
	plaintext string
}

func newMeshSettings(a *app) *cobra.Command {
	o := &settingsOptions{app: a}
	c := &cobra.Command{
		Use:   "settings",
		Short: "Change or show how a mesh works",
		Long: "Change or show how a mesh works.\n\n" +
			"--plaintext-groups on lets clients take part that cannot seal groups. The broker, and everybody with access\n" +
			"to its data, can then read broadcasts and group messages. The switch is signed by the owner, and members\n" +
			"remember it: nobody can turn it back unseen.",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context()) },
	}
	c.Flags().StringVar(&o.plaintext, "plaintext-groups", "", "write groups in clear: `on|off`")
	return c
}

type settingsAnswer struct {
	Slug            string         `json:"slug"`
	Groups          wire.GroupMode `json:"groups"`
	PlaintextGroups bool           `json:"plaintextGroups"`
}

func (o *settingsOptions) run(ctx context.Context) error {
	mode, given := map[string]wire.GroupMode{"on": wire.GroupPlain, "off": wire.GroupSealed}[o.plaintext]
	switch {
	case o.plaintext != "" && !given:
		return ui.Usagef("--plaintext-groups %q is neither on nor off", o.plaintext)
	case given:
		if _, _, err := o.owned(); err != nil {
			return err
		}
	}
	m, err := o.chosen()
	if err != nil {
		return err
	}
	// The policy comes with the greeting; it may have been set elsewhere.
	err = m.once(ctx, o.env.Dir, func(context.Context, *peer.Client) error { return nil })
	if err != nil {
		return err
	}
	if given && m.groupMode() != mode {
		if err := o.set(ctx, m, mode); err != nil {
			return err
		}
	}
	answer := settingsAnswer{Slug: m.mesh.Slug, Groups: m.groupMode()}
	answer.PlaintextGroups = answer.Groups == wire.GroupPlain
	if o.out.JSON {
		return o.out.Answer(answer)
	}
	return o.out.Line("groups", string(answer.Groups))
}

// set signs the next policy, hands it to the broker, and pins it here.
func (o *settingsOptions) set(ctx context.Context, m *membership, mode wire.GroupMode) error {
	owner, _, err := m.mesh.OwnerKey()
	if err != nil {
		return err
	}
	policy := wire.GroupPolicy{Mode: mode, Counter: 1, SignedAt: wire.MillisAt(time.Now())}
	if pinned := m.mesh.GroupPolicy; pinned != nil {
		policy.Counter = pinned.Counter + 1
	}
	policy.Sign(m.mesh.MeshID, owner)
	in := wire.SetGroupPolicyRequest{
		Mode: policy.Mode, Counter: policy.Counter, SignedAt: policy.SignedAt, Signature: policy.Signature,
	}
	var out wire.GroupPolicy
	path := "/v1/meshes/" + m.mesh.MeshID + "/group-policy"
	if err := callSigned(ctx, http.MethodPut, m.mesh.BrokerURL, path, &in, &out, owner); err != nil {
		return err
	}
	m.pin(&policy)
	return nil
}
