package command

import (
	"context"
	"strconv"
	"strings"

	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

func newMember(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "member",
		Short: "Show members, change them, shut them out",
		Args:  noArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newMemberList(a), newMemberSet(a), newMemberRevoke(a), newBan(a), newUnban(a))
	return c
}

func newMemberList(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Show who belongs to the mesh, present or not",
		Long: "Show who belongs to the mesh, present or not. HERE counts connections. Who was banned, or whose membership\n" +
			"was revoked, is listed too.",
		Example: "  claudemesh member list --json",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.memberList(c.Context()) },
	}
}

type membersAnswer struct {
	Members []wire.MeshMember `json:"members"`
}

func (a *app) memberList(ctx context.Context) error {
	mesh, err := a.administer()
	if err != nil {
		return err
	}
	all, err := mesh.roll(ctx)
	if err != nil {
		return err
	}
	if a.out.JSON {
		return a.out.Answer(membersAnswer{append([]wire.MeshMember{}, all.members...)})
	}
	var rows [][]string
	for _, m := range all.members {
		name, role, state := ui.CleanLine(m.DisplayName), ui.CleanLine(m.Role), stateOf(m)
		if a.out.Terminal() {
			if m.Pubkey == all.self {
				name += " (you)"
			}
			if state != stateActive {
				role = state // all that counts now
			}
			state = ""
		}
		rows = append(rows, []string{
			name, role, state, a.usual(strconv.Itoa(len(m.Present)), "0"),
			a.usual(ui.CleanLine(m.MessageMode), wire.ModePush), a.key(m.Pubkey), a.day(m.JoinedAt.Time),
			ui.CleanLine(m.RoleTag), groupNames(m.Groups),
		})
	}
	return a.table([]string{"NAME", "ROLE", "STATE", "HERE", "MODE", "KEY", "JOINED", "TAG", "GROUPS"}, rows)
}

const stateActive = "active"

func stateOf(m wire.MeshMember) string {
	switch {
	case m.Banned:
		return "banned"
	case m.RevokedAt != nil:
		return "revoked"
	}
	return stateActive
}

type memberSetOptions struct {
	*app
	name, role, tag, mode string
	groups                []string
	noGroups              bool
}

func newMemberSet(a *app) *cobra.Command {
	o := &memberSetOptions{app: a}
	c := &cobra.Command{
		Use:   "set MEMBER",
		Short: "Change a member's name, role, tag, groups or message mode",
		Long: "Change a member's name, role, tag, groups or message mode. MEMBER is a name or the first digits of a key.\n" +
			"Roles are the owner's to change; admins change the rest; members change themselves, as far as the mesh lets\n" +
			"them. --tag '' takes the tag away.",
		Example:           "  claudemesh member set bob --role admin --tag reviewer --group backend",
		Args:              exactly("MEMBER"),
		ValidArgsFunction: a.completeMember,
		RunE: func(c *cobra.Command, args []string) error {
			in, err := o.change(c.Flags().Changed)
			if err != nil {
				return err
			}
			return o.run(c.Context(), args[0], in)
		},
	}
	c.Flags().StringVar(&o.name, "name", "", "the `NAME` that others see")
	c.Flags().StringVar(&o.role, "role", "", "what it may do: `member|admin`")
	c.Flags().StringVar(&o.tag, "tag", "", "what it is there for: `TAG`")
	c.Flags().StringSliceVar(&o.groups, "group", nil, "its groups, instead of those before: `GROUP`, or GROUP:ROLE (may be repeated)")
	c.Flags().BoolVar(&o.noGroups, "no-groups", false, "take it out of all groups")
	c.Flags().StringVar(&o.mode, "mode", "", "what its clients do with messages: `push|inbox|off`")
	// Both fail only for flags that are not there.
	_ = c.RegisterFlagCompletionFunc("role", fixed(wire.RoleMember, wire.RoleAdmin))
	_ = c.RegisterFlagCompletionFunc("mode", fixed(wire.ModePush, wire.ModeInbox, wire.ModeOff))
	return c
}

// change is what the flags that were given ask for.
func (o *memberSetOptions) change(given func(flag string) bool) (*wire.SetMemberRequest, error) {
	in := new(wire.SetMemberRequest)
	for flag, into := range map[string]struct {
		value *string
		field **string
	}{
		"name": {&o.name, &in.DisplayName}, "role": {&o.role, &in.Role}, "tag": {&o.tag, &in.RoleTag}, "mode": {&o.mode, &in.MessageMode},
	} {
		if given(flag) {
			*into.field = into.value
		}
	}
	groups, err := parseGroupList(strings.Join(o.groups, ","))
	switch {
	case err != nil:
		return nil, err
	case o.noGroups && len(groups) > 0:
		return nil, ui.Usagef("--group and --no-groups contradict each other").
			Hinted("name the groups that it is to be in, or say --no-groups")
	case o.noGroups:
		in.Groups = &[]wire.Group{}
	case len(groups) > 0:
		in.Groups = &groups
	}
	if *in == (wire.SetMemberRequest{}) {
		return nil, ui.Usagef("nothing to change").Hinted("claudemesh member set --help shows what there is")
	}
	if err := in.Check(); err != nil {
		return nil, ui.Usagef("%s", plainWords(err)).Hinted("claudemesh member set --help")
	}
	return in, nil
}

func (o *memberSetOptions) run(ctx context.Context, typed string, in *wire.SetMemberRequest) error {
	mesh, err := o.administer()
	if err != nil {
		return err
	}
	all, err := mesh.roll(ctx)
	if err != nil {
		return err
	}
	m, err := all.member(typed, false)
	if err != nil {
		return err
	}
	if m, err = mesh.SetMember(ctx, m.Pubkey, in); err != nil {
		return err
	}
	if o.out.JSON {
		return o.out.Answer(m)
	}
	return o.out.Facts([][2]string{
		{"name", ui.CleanLine(m.DisplayName)},
		{"role", ui.CleanLine(m.Role)},
		{"tag", ui.CleanLine(m.RoleTag)},
		{"groups", groupNames(m.Groups)},
		{"mode", ui.CleanLine(m.MessageMode)},
		{"key", ui.CleanLine(m.Pubkey)},
	})
}
