package command

import (
	"context"
	"crypto/ed25519"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/admin"
	"github.com/claudemesh/claudemesh/cli/internal/identity"
	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// fetch gets the invite that a short link stands for. Whoever serves it can
// withhold it, but neither read nor swap it.
func fetch(ctx context.Context, l *wire.ShortLink) (*opened, error) {
	answer, err := admin.Call(ctx, http.MethodGet, l.Base, "/v1/invites/"+l.Code, nil, nil)
	if err != nil {
		return nil, err
	}
	if answer.Status != http.StatusOK {
		var refused wire.HTTPError
		if err := answer.Into(l.Base, &refused); err != nil || refused.Error.Code == "" {
			return nil, &admin.StatusError{Broker: l.Base, Status: answer.Status}
		}
		return nil, explainClaim(string(refused.Error.Code))
	}
	var preview wire.InvitePreview
	if err := answer.Into(l.Base, &preview); err != nil {
		return nil, err
	}
	token, invite, err := seal.OpenInvite(l, preview.SealedInvite)
	switch {
	case errors.Is(err, seal.ErrNotForUs), errors.Is(err, seal.ErrMalformed):
		return nil, &ui.Failure{
			Message: "the invite does not open with this link: the link was damaged, or the broker handed out another invite",
			Hint:    "ask for the link again; if it fails again, do not use it", Code: ui.ExitFailed, Cause: err,
		}
	case err != nil:
		return nil, err
	}
	return &opened{token: token, invite: &invite, link: l}, nil
}

// begun returns the invite of a join by a short link whose answer was lost, or
// nil. The broker may have counted it, and hand the invite out no more.
func begun(store *identity.Store, l *wire.ShortLink) (*opened, error) {
	token, err := store.Joining(l.String())
	if err != nil || token == "" {
		return nil, err
	}
	in, err := openToken(token)
	if err != nil {
		return nil, err
	}
	in.link = l
	return in, nil
}

// joinedBy returns the mesh that a short link leads to, if it is joined: its
// fingerprint says so without asking, even where the invite has ended.
func joinedBy(config *identity.Config, link string) *identity.Mesh {
	l, err := wire.ParseShortLink(link)
	if err != nil {
		return nil
	}
	for i, m := range config.Meshes {
		if m.OwnerPublicKey != "" && wire.OwnerFingerprint(m.MeshID, m.OwnerPublicKey) == l.Owner {
			return &config.Meshes[i]
		}
	}
	return nil
}

// claim enrols a key by a short link. It asks the broker that the owner has
// signed, not whoever served the link: the proof would let that one join too.
func claim(ctx context.Context, in *opened, name string, key ed25519.PrivateKey) (memberID string, err error) {
	request := wire.NewClaimRequest(in.link.Code, in.token, name, key, time.Now())
	answer, err := admin.Call(ctx, http.MethodPost, in.invite.BrokerURL, "/invites/"+in.link.Code+"/claim", request, nil)
	if err != nil {
		return "", err
	}
	if answer.Status != http.StatusOK {
		var refused wire.ClaimError
		if err := answer.Into(in.invite.BrokerURL, &refused); err != nil || refused.Error == "" {
			return "", &admin.StatusError{Broker: in.invite.BrokerURL, Status: answer.Status}
		}
		return "", explainClaim(refused.Error)
	}
	var claimed wire.ClaimResponse
	if err := answer.Into(in.invite.BrokerURL, &claimed); err != nil {
		return "", err
	}
	if claimed.MeshID != in.invite.MeshID || !strings.EqualFold(claimed.OwnerPubkey, in.invite.OwnerPubkey) {
		return "", wire.ErrForeignInvite
	}
	if claimed.MemberID == "" {
		return "", &admin.StatusError{Broker: in.invite.BrokerURL, Status: answer.Status}
	}
	return claimed.MemberID, nil
}

// claimCodes are the codes of a claim by those of an enrolment that mean the
// same.
var claimCodes = map[string]string{
	wire.ClaimRevoked: wire.JoinRevoked, wire.ClaimExpired: wire.JoinExpired, wire.ClaimExhausted: wire.JoinExhausted,
	wire.ClaimNotFound: wire.JoinNotFound, wire.ClaimSkew: wire.JoinTimestampSkew, wire.ClaimBanned: wire.JoinBanned,
}

func explainClaim(code string) error {
	if same, ok := claimCodes[code]; ok {
		code = same
	}
	return explainJoin(code)
}

// shortLink makes the short form of an invite that begins at that broker. Where
// that has a path of its own there is none: the link would not say so.
func shortLink(broker string, invite *wire.Invite) (*wire.ShortLink, bool) {
	base, err := wire.HTTPAddress(broker)
	if err != nil {
		return nil, false
	}
	l := wire.NewShortLink(base, invite)
	if _, err := wire.ParseShortLink(l.String()); err != nil {
		return nil, false
	}
	return &l, true
}

// headless reports whether a link is a short one that has lost the part behind
// its #, as happens where it is copied from a browser's history.
func headless(link string) bool {
	address, _, _ := strings.Cut(strings.TrimSpace(link), "#")
	code := address[strings.LastIndexByte(address, '/')+1:]
	return strings.HasSuffix(strings.TrimSuffix(address, code), "/i/") && wire.IsInviteCode(code)
}
