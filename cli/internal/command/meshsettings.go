package command

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

type settingsOptions struct {
	*app
	plaintext string
	name      string
	editable  string

	change wire.SetMeshRequest
}

func newMeshSettings(a *app) *cobra.Command {
	o := &settingsOptions{app: a}
	c := &cobra.Command{
		Use:   "settings",
		Short: "Show or change how a mesh works",
		Long: "Show or change how a mesh works.\n\n" +
			"--plaintext-groups on lets clients take part that cannot seal groups. The broker, and everybody with access\n" +
			"to its data, can then read broadcasts and group messages. The switch is signed by the owner, and members\n" +
			"remember it: nobody can turn it back unseen.\n\n" +
			"--self-editable says what members may change about themselves: a list of name, tag, groups and mode, or all,\n" +
			"or none. Admins may change all of these for everybody.",
		Example: "  claudemesh mesh settings --name 'Acme agents' --self-editable name,groups",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("name") {
				o.change.Name = &o.name
			}
			return o.run(c.Context())
		},
	}
	c.Flags().StringVar(&o.plaintext, "plaintext-groups", "", "write groups in clear: `on|off`")
	c.Flags().StringVar(&o.name, "name", "", "call the mesh `NAME`")
	c.Flags().StringVar(&o.editable, "self-editable", "", "what members may change about themselves: `FIELDS`")
	// Both fail only for flags that are not there.
	_ = c.RegisterFlagCompletionFunc("plaintext-groups", fixed("on", "off"))
	_ = c.RegisterFlagCompletionFunc("self-editable", fixed("all", "none", "name", "tag", "groups", "mode"))
	return c
}

// fixed completes with the given words.
func fixed(words ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
}

type settingsAnswer struct {
	Slug            string             `json:"slug"`
	MeshID          string             `json:"meshId"`
	Name            string             `json:"name"`
	OwnerPubkey     string             `json:"ownerPubkey"`
	CreatedAt       wire.Time          `json:"createdAt"`
	Members         int                `json:"members"`
	Groups          wire.GroupMode     `json:"groups"`
	PlaintextGroups bool               `json:"plaintextGroups"`
	SelfEditable    *wire.SelfEditable `json:"selfEditable,omitempty"`
}

func (o *settingsOptions) run(ctx context.Context) error {
	mode, given := map[string]wire.GroupMode{"on": wire.GroupPlain, "off": wire.GroupSealed}[o.plaintext]
	if o.plaintext != "" && !given {
		return ui.Usagef("--plaintext-groups %q is neither on nor off", o.plaintext).
			Hinted("--plaintext-groups on, or --plaintext-groups off")
	}
	if err := o.parse(); err != nil {
		return err
	}
	if given {
		if _, _, err := o.owned(); err != nil {
			return err
		}
	}
	mesh, err := o.administer()
	if err != nil {
		return err
	}
	now, err := mesh.learn(ctx)
	if err != nil {
		return err
	}
	if given && mesh.m.groupMode() != mode {
		if err := mesh.setGroups(ctx, mode); err != nil {
			return err
		}
	}
	if o.change != (wire.SetMeshRequest{}) {
		if err := mesh.Set(ctx, &o.change); err != nil {
			return err
		}
		if now, err = mesh.learn(ctx); err != nil {
			return err
		}
	}
	return o.show(mesh.m, &now)
}

// learn asks for the settings, and pins the policy among them: it may have been
// set elsewhere.
func (m *administered) learn(ctx context.Context) (wire.MeshResponse, error) {
	now, err := m.Get(ctx)
	if err == nil && now.GroupPolicy != nil {
		m.m.pin(now.GroupPolicy)
	}
	return now, err
}

// setGroups signs the next policy, hands it to the broker, and pins it here.
func (m *administered) setGroups(ctx context.Context, mode wire.GroupMode) error {
	policy := wire.GroupPolicy{Mode: mode, Counter: 1, SignedAt: wire.MillisAt(time.Now())}
	if pinned := m.m.mesh.GroupPolicy; pinned != nil {
		policy.Counter = pinned.Counter + 1
	}
	policy.Sign(m.ID, m.Key)
	_, err := m.SetGroupPolicy(ctx, &wire.SetGroupPolicyRequest{
		Mode: policy.Mode, Counter: policy.Counter, SignedAt: policy.SignedAt, Signature: policy.Signature,
	})
	if err == nil {
		m.m.pin(&policy)
	}
	return err
}

// parse reads what is to be changed.
func (o *settingsOptions) parse() error {
	if o.editable != "" {
		var may wire.SelfEditable
		fields := map[string]*bool{
			"name": &may.DisplayName, "tag": &may.RoleTag, "groups": &may.Groups, "mode": &may.MessageMode,
		}
		for word := range strings.SplitSeq(o.editable, ",") {
			switch word = strings.TrimSpace(word); {
			case word == "all":
				may = wire.SelfEditable{DisplayName: true, RoleTag: true, Groups: true, MessageMode: true}
			case word == "none":
			case fields[word] == nil:
				return ui.Usagef("--self-editable %q is nothing that members have", word).
					Hinted("a list of name, tag, groups and mode; or all; or none")
			default:
				*fields[word] = true
			}
		}
		o.change.SelfEditable = &may
	}
	if o.change == (wire.SetMeshRequest{}) {
		return nil
	}
	if err := o.change.Check(); err != nil {
		return ui.Usagef("%s", plainWords(err))
	}
	return nil
}

func (o *settingsOptions) show(m *membership, now *wire.MeshResponse) error {
	answer := settingsAnswer{
		Slug: m.mesh.Slug, MeshID: now.MeshID, Name: now.Name, OwnerPubkey: now.OwnerPubkey, CreatedAt: now.CreatedAt,
		Members: now.Members, Groups: m.groupMode(), SelfEditable: now.SelfEditable,
	}
	answer.PlaintextGroups = answer.Groups == wire.GroupPlain
	if o.out.JSON {
		return o.out.Answer(answer)
	}
	return o.out.Facts([][2]string{
		{"slug", ui.CleanLine(answer.Slug)},
		{"name", ui.CleanLine(answer.Name)},
		{"id", ui.CleanLine(answer.MeshID)},
		{"owner", ui.CleanLine(answer.OwnerPubkey)},
		{"created", o.when(answer.CreatedAt.Time)},
		{"members", strconv.Itoa(answer.Members)},
		{"groups", string(answer.Groups)},
		{"self-editable", editable(answer.SelfEditable)},
	})
}

// editable says what members may change about themselves. Without a policy it
// is everything.
func editable(may *wire.SelfEditable) string {
	if may == nil {
		return "all"
	}
	var words []string
	for _, f := range []struct {
		word string
		may  bool
	}{{"name", may.DisplayName}, {"tag", may.RoleTag}, {"groups", may.Groups}, {"mode", may.MessageMode}} {
		if f.may {
			words = append(words, f.word)
		}
	}
	switch len(words) {
	case 0:
		return "none"
	case 4:
		return "all"
	}
	return strings.Join(words, ",")
}
