package seal

import (
	"fmt"

	"github.com/claudemesh/claudemesh/edge/wire"
	"golang.org/x/crypto/nacl/secretbox"
)

// Invite seals the token of an invite for a short link: only who has the link's
// fragment can open it. The result is what a broker keeps.
func Invite(l *wire.ShortLink, token string) string { return invite(newNonce(), l, token) }

func invite(n *nonce, l *wire.ShortLink, token string) string {
	return wire.EncodeSealedInvite(*n, secretbox.Seal(nil, []byte(token), n, (*[KeyLen]byte)(l.SealKey())))
}

// OpenInvite opens what [Invite] sealed, checks the signature in it, and holds
// it to the link. It returns [ErrNotForUs] when the box does not open, and
// [wire.ErrForeignInvite] when the invite is another mesh's or another owner's
// than the link was made for: nobody should join by that. Whether the invite is
// over, the caller says.
func OpenInvite(l *wire.ShortLink, sealed string) (token string, i wire.Invite, err error) {
	n, box, err := wire.DecodeSealedInvite(sealed)
	if err != nil {
		return "", wire.Invite{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	text, ok := secretbox.Open(nil, box, &n, (*[KeyLen]byte)(l.SealKey()))
	if !ok {
		return "", wire.Invite{}, ErrNotForUs
	}
	if i, err = wire.ParseInviteToken(string(text)); err != nil {
		return "", wire.Invite{}, err
	}
	if err := i.VerifySignature(); err != nil {
		return "", wire.Invite{}, err
	}
	if err := l.Check(&i); err != nil {
		return "", wire.Invite{}, err
	}
	return string(text), i, nil
}
