package command

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/identity"
	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

type inviteOptions struct {
	*app
	role    string
	uses    int
	expires string
	noKey   bool
}

func newInvite(a *app) *cobra.Command {
	o := &inviteOptions{app: a}
	c := &cobra.Command{
		Use:   "invite",
		Short: "Make a link with which others join",
		Long: "Make a link with which others join. It is shown once and stored nowhere.\n\n" +
			"The link carries the mesh's root key: who has it can read what is written to groups. With --no-key it\n" +
			"carries a decoy instead, for a client that hands the link to the broker; its user can be given the key\n" +
			"later by a second link, without enrolling again.",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context()) },
	}
	c.Flags().StringVar(&o.role, "role", wire.RoleMember, "what the newcomer becomes: `member|admin`")
	c.Flags().IntVar(&o.uses, "uses", 1, "how many may join by it")
	c.Flags().StringVar(&o.expires, "expires", "7d", "how long it is good, such as 30m, 12h or 7d")
	c.Flags().BoolVar(&o.noKey, "no-key", false, "leave the mesh's root key out of the link")
	return c
}

type inviteAnswer struct {
	Link      string    `json:"link"`
	InviteID  string    `json:"inviteId"`
	ExpiresAt time.Time `json:"expiresAt"`
	Role      string    `json:"role"`
	MaxUses   int       `json:"maxUses"`
	Keyed     bool      `json:"keyed"` // the link carries the mesh's root key
}

func (o *inviteOptions) run(ctx context.Context) error {
	lasts, err := parseLong(o.expires)
	if err != nil {
		return err
	}
	m, owner, err := o.owned()
	if err != nil {
		return err
	}
	invite := &wire.Invite{
		MeshID: m.MeshID, MeshSlug: m.Slug, BrokerURL: m.BrokerURL, Role: o.role,
		ExpiresAt: time.Now().Add(lasts).Unix(),
	}
	root, err := o.rootFor(m)
	if err != nil {
		return err
	}
	invite.MeshRootKey = identity.EncodeRoot(root)
	invite.Sign(owner)
	token, err := invite.Token()
	if err != nil {
		return ui.Usagef("%s", plainWords(err))
	}
	in := wire.CreateInviteRequest{
		TokenHash: wire.TokenHash(token), Role: o.role, MaxUses: o.uses, ExpiresAt: invite.ExpiresAt,
	}
	if err := in.Check(time.Now()); err != nil {
		return ui.Usagef("%s", plainWords(err)).Hinted("claudemesh invite --help")
	}
	var made wire.CreateInviteResponse
	path := "/v1/meshes/" + m.MeshID + "/invites"
	if err := callSigned(ctx, http.MethodPost, m.BrokerURL, path, &in, &made, owner); err != nil {
		return err
	}
	return o.show(inviteAnswer{
		Link: wire.InviteLink(token), InviteID: made.InviteID, ExpiresAt: time.Unix(invite.ExpiresAt, 0).UTC(),
		Role: o.role, MaxUses: o.uses, Keyed: !o.noKey,
	})
}

func (o *inviteOptions) show(answer inviteAnswer) error {
	if o.out.JSON {
		return o.out.Answer(answer)
	}
	what := "it carries the mesh's key, so hand it over like one"
	if o.noKey {
		what = "it carries no key: who joins by it cannot read groups"
	}
	o.out.Say("good for %d %s until %s; %s", o.uses, plural(o.uses, "newcomer", "newcomers"),
		answer.ExpiresAt.Local().Format("2 Jan 2006 15:04"), what)
	return o.out.Line(answer.Link)
}

func (o *inviteOptions) rootFor(m *identity.Mesh) (seal.Key, error) {
	if o.noKey {
		return seal.Decoy(), nil
	}
	root, err := m.Root()
	if err != nil {
		return seal.Key{}, err
	}
	if root == nil {
		return seal.Key{}, seal.ErrNoKey
	}
	return *root, nil
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// parseLong reads a duration that may be in days.
func parseLong(text string) (time.Duration, error) {
	bad := ui.Usagef("%q is no duration", text).Hinted("write 30m, 12h or 7d")
	d, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, convErr := strconv.Atoi(days)
		if convErr != nil || n > 36500 {
			return 0, bad
		}
		d, err = time.Duration(n)*24*time.Hour, nil
	}
	if err != nil || d <= 0 {
		return 0, bad
	}
	return d, nil
}
