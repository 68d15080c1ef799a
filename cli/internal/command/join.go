package command

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/admin"
	"github.com/claudemesh/claudemesh/cli/internal/identity"
	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

type joinOptions struct {
	*app
	link   string
	name   string
	legacy bool
}

func newJoin(a *app) *cobra.Command {
	o := &joinOptions{app: a}
	c := &cobra.Command{
		Use:   "join LINK",
		Short: "Join a mesh by an invite link",
		Long: "Join a mesh by an invite link: a long one (ic://join/…) or a short one (https://…/i/CODE#…). With - as LINK\n" +
			"it is read from stdin, which keeps it out of the list of processes and the shell's history.\n\n" +
			"Neither the link nor the key in it is shown to the broker: it gets a proof that you have the link. What a\n" +
			"short link stands for is opened and compared here, so that nobody can put another invite in its place.",
		Example: "  claudemesh join 'https://mesh.example/i/CODE#FRAGMENT' --name bob",
		Args:    exactly("LINK"),
		RunE: func(c *cobra.Command, args []string) error {
			o.link = args[0]
			return o.run(c.Context())
		},
	}
	c.Flags().StringVar(&o.name, "name", "", "the `NAME` that others see (default the user's)")
	c.Flags().BoolVar(&o.legacy, "legacy-broker", false,
		"hand the whole link to a broker that takes no proof; it can then read this mesh's groups")
	return c
}

func (o *joinOptions) run(ctx context.Context) error {
	store, err := o.store()
	if err != nil {
		return err
	}
	config, err := store.Load()
	if err != nil {
		return err
	}
	if err := o.readStdin(); err != nil {
		return err
	}
	if known := joinedBy(config, o.link); known != nil && known.RootKey != "" {
		o.out.Say("already in %s", known.Slug)
		return o.answer(*known)
	}
	in, err := o.read(ctx, store)
	if err != nil {
		return err
	}
	if known := config.Joined(in.invite.MeshID); known != nil {
		return o.joinAgain(store, *known, in.invite)
	}
	m, err := o.joinOnce(ctx, store, in, o.memberName(o.name, config))
	if err != nil {
		return err
	}
	o.out.Say("joined %s", m.Slug)
	if m.RootKey == "" {
		o.out.Say("the link carried no key: you can write to peers, not to groups")
	}
	return o.answer(m)
}

// opened is an invite that was taken out of its link and checked.
type opened struct {
	token  string
	invite *wire.Invite
	link   *wire.ShortLink // nil where the link itself carried the token
}

func (o *joinOptions) readStdin() error {
	if o.link != "-" {
		return nil
	}
	line, err := bufio.NewReader(o.env.Stdin).ReadString('\n')
	if err != nil && line == "" {
		return ui.Usagef("no link on stdin").Hinted("claudemesh join LINK, or its text into claudemesh join -")
	}
	o.link = strings.TrimSpace(line)
	return nil
}

// read takes the link apart and checks all that can be checked here. Whether
// its owner key is the mesh's owner, the broker says.
func (o *joinOptions) read(ctx context.Context, store *identity.Store) (*opened, error) {
	in, err := o.open(ctx, store)
	if err != nil {
		return nil, err
	}
	if err := in.invite.Verify(time.Now()); err != nil {
		return nil, err
	}
	if _, err := in.invite.RootKey(); err != nil {
		return nil, err
	}
	if !wire.IsMeshID(in.invite.MeshID) {
		return nil, wire.ErrInviteMalformed
	}
	return in, nil
}

// open finds the invite, which a short link only stands for.
func (o *joinOptions) open(ctx context.Context, store *identity.Store) (*opened, error) {
	if l, err := wire.ParseShortLink(o.link); err == nil {
		if in, err := begun(store, &l); in != nil || err != nil {
			return in, err
		}
		defer o.out.Busy("fetching the invite")()
		return fetch(ctx, &l)
	}
	if headless(o.link) {
		return nil, ui.Usagef("the part of the link behind # is missing or damaged, and without it the invite cannot be opened").
			Hinted("copy all of the link, and quote it: claudemesh join 'LINK'")
	}
	in, err := wire.ParseJoinInput(o.link)
	if err != nil {
		return nil, err
	}
	if in.Code != "" {
		return nil, ui.Failf("short codes of other brokers cannot be joined by").
			Hinted("ask for a link that begins with ic://join/, as claudemesh invite makes it")
	}
	return openToken(in.Token)
}

func openToken(token string) (*opened, error) {
	invite, err := wire.ParseInviteToken(token)
	if err != nil {
		return nil, err
	}
	return &opened{token: token, invite: &invite}, nil
}

// joinAgain adds the key that a first link did not carry. Otherwise it only
// says that there is nothing to do.
func (o *joinOptions) joinAgain(store *identity.Store, m identity.Mesh, invite *wire.Invite) error {
	if m.OwnerPublicKey != "" && !strings.EqualFold(m.OwnerPublicKey, invite.OwnerPubkey) {
		return ui.Failf("this link claims another owner for %s than the one you know", m.Slug).
			Hinted("do not use it; ask its sender where it comes from")
	}
	before := m.RootKey
	err := store.Update(func(c *identity.Config) error {
		entry := c.Joined(m.MeshID)
		if entry == nil {
			return identity.ErrNoMesh
		}
		if entry.RootKey == "" {
			entry.SetRoot(rootOf(invite))
		}
		if entry.OwnerPublicKey == "" {
			entry.OwnerPublicKey = strings.ToLower(invite.OwnerPubkey)
		}
		m = *entry
		return nil
	})
	if err != nil {
		return err
	}
	if m.RootKey != before {
		o.out.Say("already in %s; its key was added", m.Slug)
	} else {
		o.out.Say("already in %s", m.Slug)
	}
	return o.answer(m)
}

// rootOf is called with an invite whose key was read before.
func rootOf(invite *wire.Invite) seal.Key {
	root, err := invite.RootKey()
	if err != nil {
		return seal.Decoy()
	}
	return seal.Key(root)
}

// joinOnce enrols with the key of an earlier attempt, if one was begun: its
// answer may be all that was lost, and another key would take another use of the
// invite. The key is forgotten when it is in the config, or refused for good.
func (o *joinOptions) joinOnce(ctx context.Context, store *identity.Store, in *opened, name string) (m identity.Mesh, err error) {
	link := ""
	if in.link != nil {
		link = in.link.String()
	}
	member, err := store.BeginJoin(in.token, link, time.Unix(in.invite.ExpiresAt, 0))
	if err != nil {
		return m, err
	}
	// Another command may have joined since we looked, and its key be forgotten.
	config, err := store.Load()
	if err != nil {
		return m, err
	}
	if known := config.Joined(in.invite.MeshID); known != nil {
		return *known, store.EndJoin(in.token)
	}
	if m, err = o.enrol(ctx, in, name, member); err != nil {
		switch {
		case refusedForGood(err):
			err = errors.Join(err, store.EndJoin(in.token))
		case errors.Is(err, peer.ErrUnreachable):
			err = unreachableFailure(err).Hinted("try again with the same link: also where only the answer was lost, it counts once")
		}
		return m, err
	}
	err = store.Update(func(c *identity.Config) error {
		if known := c.Joined(m.MeshID); known != nil { // by another command, at the same time
			m = *known
			return nil
		}
		m = *c.Add(m)
		return nil
	})
	if err != nil {
		return m, err
	}
	return m, store.EndJoin(in.token)
}

// enrol has the broker take a member key in.
func (o *joinOptions) enrol(ctx context.Context, in *opened, name string, member ed25519.PrivateKey) (m identity.Mesh, err error) {
	defer o.out.Busy("waiting for the broker")()
	memberID := ""
	if in.link != nil {
		memberID, err = claim(ctx, in, name, member)
	} else {
		memberID, err = o.prove(ctx, in, name, member)
	}
	if err != nil {
		return m, err
	}
	invite := in.invite
	m = identity.Mesh{
		MeshID: invite.MeshID, MemberID: memberID, Slug: handle(invite.MeshSlug, invite.MeshID),
		Name: ui.CleanLine(invite.MeshSlug), BrokerURL: invite.BrokerURL, JoinedAt: now(),
		OwnerPublicKey: strings.ToLower(invite.OwnerPubkey),
	}
	m.PublicKey, m.SecretKey = identity.EncodeKey(member)
	m.SetRoot(rootOf(invite))
	return m, nil
}

// prove enrols a key by a proof to have the token.
func (o *joinOptions) prove(ctx context.Context, in *opened, name string, member ed25519.PrivateKey) (memberID string, err error) {
	request := wire.NewJoinRequest(in.invite, in.token, name, member, time.Now())
	answer, err := postJoin(ctx, in.invite.BrokerURL, request)
	if err == nil && answer.Error == wire.JoinFieldsMissing {
		answer, err = o.enrolLegacy(ctx, in.token, in.invite, request)
	}
	if err != nil {
		return "", err
	}
	if !answer.OK || answer.MemberID == "" {
		return "", explainJoin(answer.Error)
	}
	return answer.MemberID, nil
}

// enrolLegacy shows the whole link to a broker that takes no proof.
func (o *joinOptions) enrolLegacy(ctx context.Context, token string, invite *wire.Invite, proof *wire.JoinRequest) (wire.JoinResponse, error) {
	if !o.legacy {
		return wire.JoinResponse{}, ui.Failf("this broker wants the whole link, with the mesh's key in it").
			Hinted("ask for an invite made with --no-key; or let the broker read this mesh's groups: join --legacy-broker LINK")
	}
	payload, err := json.Marshal(invite)
	if err != nil {
		return wire.JoinResponse{}, err
	}
	return postJoin(ctx, invite.BrokerURL, &wire.JoinRequest{
		InviteToken: token, InvitePayload: payload, PeerPubkey: proof.PeerPubkey, DisplayName: proof.DisplayName,
	})
}

func postJoin(ctx context.Context, broker string, in *wire.JoinRequest) (out wire.JoinResponse, err error) {
	answer, err := admin.Call(ctx, http.MethodPost, broker, "/join", in, nil)
	if err == nil {
		err = answer.Into(broker, &out)
	}
	return out, err
}

var (
	errJoin     = errors.New("the broker refused the invite")
	errJoinOver = fmt.Errorf("%w for good", errJoin)
)

// joinOver are the refusals after which trying again with the same invite and
// key would be in vain. Others may pass.
var joinOver = map[string]bool{
	wire.JoinExpired: true, wire.JoinExhausted: true, wire.JoinRevoked: true, wire.JoinNotFound: true, wire.JoinMeshNotFound: true,
	wire.JoinOwnerMismatch: true, wire.JoinPayloadMismatch: true, wire.JoinBanned: true,
}

func refusedForGood(err error) bool {
	var f *ui.Failure
	return errors.As(err, &f) && errors.Is(f.Cause, errJoinOver)
}

// explainJoin words the codes of an enrolment.
func explainJoin(code string) error {
	words := map[string][2]string{
		wire.JoinExpired:         {"the invite is over", "ask for a new one"},
		wire.JoinExhausted:       {"the invite was used up", "ask for a new one"},
		wire.JoinRevoked:         {"the invite was taken back", "ask for a new one"},
		wire.JoinNotFound:        {"the broker does not know this invite", "ask for the link again, and copy all of it"},
		wire.JoinMeshNotFound:    {"the mesh is not there any more", ""},
		wire.JoinOwnerMismatch:   {"the invite was not made by the mesh's owner", "do not use it"},
		wire.JoinPayloadMismatch: {"the invite was altered", "ask for the link again"},
		wire.JoinBanned:          {"this key is banned from the mesh", "only its owner or an admin can let you back in"},
		wire.ClaimMeshFull:       {"the mesh has as many members as it may", "ask its owner to remove some"},
		wire.ClaimRateLimited:    {"too many tried to join just now", "wait a minute and try again"},
		wire.ClaimUnavailable:    {"the broker cannot enrol anybody just now", "try again in a moment"},
		wire.JoinTimestampSkew:   {"the clocks of this machine and of the broker differ by more than a minute", "set the clock"},
	}
	w, ok := words[code]
	if !ok {
		w = [2]string{errJoin.Error() + ": " + code, ""}
	}
	f := ui.Failf("%s", w[0])
	f.Hint, f.Cause = w[1], errJoin
	if joinOver[code] {
		f.Cause = errJoinOver
	}
	if code == wire.JoinBanned {
		f.Code = ui.ExitNotMember
	}
	return f
}
