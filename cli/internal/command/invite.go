package command

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/identity"
	"github.com/claudemesh/claudemesh/cli/internal/peer"
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
	short   bool
	by      string
}

func newInvite(a *app) *cobra.Command {
	o := &inviteOptions{app: a}
	c := &cobra.Command{
		Use:   "invite",
		Short: "Make a link with which others join",
		Long: "Make a link with which others join. It is shown once and stored nowhere.\n\n" +
			"There are two forms of it, which count as one invite. The long one, ic://join/…, is understood by every\n" +
			"client. The short one, for a chat or a phone, is a page that says how to join; what is behind its # is never\n" +
			"sent to the broker, which keeps the invite sealed and cannot open it. With --short it is the answer.\n\n" +
			"Either link carries the mesh's root key: who has it can read what is written to groups. With --no-key it\n" +
			"carries a decoy instead, for a client that hands the link to the broker; its user can be given the key\n" +
			"later by a second link, without enrolling again.",
		Example: "  claudemesh invite --short --uses 5 --expires 12h",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return o.run(c.Context()) },
	}
	c.Flags().BoolVar(&o.short, "short", false, "answer with the short link")
	c.Flags().StringVar(&o.by, "by", "", "the `NAME` of who invites, for the page behind the short link (default yours)")
	c.Flags().StringVar(&o.role, "role", wire.RoleMember, "what the newcomer becomes: `member|admin`")
	c.Flags().IntVar(&o.uses, "uses", 1, "how many may join by it")
	c.Flags().StringVar(&o.expires, "expires", "7d", "how long it is good, such as 30m, 12h or 7d")
	c.Flags().BoolVar(&o.noKey, "no-key", false, "leave the mesh's root key out of the link")
	c.AddCommand(newInviteList(a), newInviteRevoke(a))
	return c
}

type inviteAnswer struct {
	Link      string    `json:"link"`
	ShortLink string    `json:"shortLink,omitempty"`
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
	if o.role != wire.RoleMember && o.role != wire.RoleAdmin {
		return ui.Usagef("there is no role %q", o.role).Hinted("--role member or admin")
	}
	mesh, err := o.asOwner()
	if err != nil {
		return err
	}
	root, err := o.rootFor(&mesh.m.mesh)
	if err != nil {
		return err
	}
	if o.by == "" {
		o.by = ownName(ctx, mesh)
	}
	expires := time.Now().Add(lasts)
	for try := 1; ; try++ {
		answer, err := o.make(ctx, mesh, root, expires)
		var refused *peer.RefusedError
		switch {
		case err == nil:
			return o.show(answer)
		case try == inviteTries || !errors.As(err, &refused) || refused.Code != wire.CodeInviteExists:
			return err
		}
		// Equal invites have equal tokens, and another was made this second.
		expires = expires.Add(time.Second)
	}
}

// ownName is what others know us as. The page behind the link does without it
// where it cannot be had.
func ownName(ctx context.Context, mesh *administered) string {
	members, err := mesh.Members(ctx)
	if err != nil {
		return ""
	}
	for _, m := range members {
		if m.Pubkey == mesh.m.mesh.PublicKey {
			return m.DisplayName
		}
	}
	return ""
}

// inviteTries bounds how often an invite is made anew because its token exists.
const inviteTries = 20

// make signs an invite and has the broker know it by its hashes.
func (o *inviteOptions) make(ctx context.Context, mesh *administered, root seal.Key, expires time.Time) (inviteAnswer, error) {
	m := &mesh.m.mesh
	invite := &wire.Invite{
		MeshID: m.MeshID, MeshSlug: m.Slug, BrokerURL: m.BrokerURL, Role: o.role,
		ExpiresAt: expires.Unix(), MeshRootKey: identity.EncodeRoot(root),
	}
	invite.Sign(mesh.Key)
	token, err := invite.Token()
	if err != nil {
		return inviteAnswer{}, ui.Usagef("%s", plainWords(err))
	}
	in := wire.CreateInviteRequest{
		TokenHash: wire.TokenHash(token), Role: o.role, MaxUses: o.uses, ExpiresAt: invite.ExpiresAt,
	}
	link, short := shortLink(m.BrokerURL, invite)
	if short {
		in.InviteID, in.CodeHash, in.SealedInvite = wire.NewID(wire.LongID), wire.CodeHash(link.Code), seal.Invite(link, token)
		in.InvitedBy = o.by
	}
	if err := in.Check(time.Now()); err != nil {
		return inviteAnswer{}, ui.Usagef("%s", plainWords(err)).Hinted("claudemesh invite --help")
	}
	made, err := mesh.CreateInvite(ctx, &in)
	if err != nil {
		return inviteAnswer{}, err
	}
	answer := inviteAnswer{
		Link: wire.InviteLink(token), InviteID: made.InviteID, ExpiresAt: time.Unix(invite.ExpiresAt, 0).UTC(),
		Role: o.role, MaxUses: o.uses, Keyed: !o.noKey,
	}
	if short && made.InviteID == in.InviteID { // else the broker knows no short links
		answer.ShortLink = link.String()
	}
	return answer, nil
}

func (o *inviteOptions) show(answer inviteAnswer) error {
	if o.short && answer.ShortLink == "" {
		return ui.Failf("this broker makes no short links").Hinted("without --short there is a long one")
	}
	if o.out.JSON {
		return o.out.Answer(answer)
	}
	what := "it carries the mesh's key, so hand it over like one"
	if o.noKey {
		what = "it carries no key: who joins by it cannot read groups"
	}
	o.out.Say("good for %d %s until %s; %s", o.uses, plural(o.uses, "newcomer", "newcomers"),
		answer.ExpiresAt.Local().Format("2 Jan 2006 15:04"), what)
	if o.short {
		return o.out.Line(answer.ShortLink)
	}
	if answer.ShortLink != "" && o.out.Terminal() {
		o.out.Say("first the short form, then the long one, which older clients understand too")
		if err := o.out.Line(answer.ShortLink); err != nil {
			return err
		}
	}
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
