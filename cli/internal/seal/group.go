package seal

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/nacl/secretbox"
)

const (
	groupMagic     = "\xffCMG"
	groupVersion   = 1
	groupEpoch     = 0 // the only one so far
	groupStatement = "claudemesh-group-message\x00"

	// Everyone is the group name of a broadcast.
	Everyone = "*"

	maxGroupTime = 253402300799999 // the last millisecond of the year 9999
	maxGroupName = 1<<16 - 1
	maxGroupID   = 1<<16 - 1
)

// A Group is whom a message is sealed for: a target within a mesh, and the root
// key that its members share. A nil Root means that we have none.
type Group struct {
	Mesh   string
	Target string // as in the frame: "*", "@all" or "@name"; empty when the frame did not say
	Root   *Key
}

// GroupMessage is the inside of a group message.
type GroupMessage struct {
	Sender ed25519.PublicKey // nil when not verified
	ID     string            // the sender's client message id
	Time   time.Time         // by the sender's clock
	Text   string
	// Verified is false for clear text, of which anybody between sender and
	// reader can be the author. It must be shown as such.
	Verified bool
}

// GroupName returns the name under which a target is sealed.
func GroupName(target string) (string, error) {
	if target == Everyone || target == "@all" {
		return Everyone, nil
	}
	name, ok := strings.CutPrefix(target, "@")
	// "@*" would share its key with the broadcast.
	if !ok || name == "" || name == Everyone || len(name) > maxGroupName || !utf8.ValidString(name) {
		return "", ErrBadGroup
	}
	return name, nil
}

// ForGroup seals m, signed by the key that the broker will report as the
// sender's. The message's Sender and Verified are not read.
func ForGroup(g Group, sender ed25519.PrivateKey, m GroupMessage) (Box, error) {
	return forGroup(newNonce(), g, sender, m)
}

func forGroup(n *nonce, g Group, sender ed25519.PrivateKey, m GroupMessage) (Box, error) {
	name, err := GroupName(g.Target)
	if err != nil {
		return Box{}, err
	}
	if len(m.ID) > maxGroupID || !utf8.ValidString(m.ID) || !utf8.ValidString(m.Text) {
		return Box{}, ErrMalformed
	}
	key, err := groupKey(g, groupEpoch, name)
	if err != nil {
		return Box{}, err
	}
	m.Sender = sender.Public().(ed25519.PublicKey)
	header := groupHeader(groupEpoch, name)
	body := slices.Concat(ed25519.Sign(sender, statement(header, g.Mesh, m)), groupBody(m))
	return newBox(n, secretbox.Seal(header, body, n, (*[KeyLen]byte)(key))), nil
}

// OpenGroup opens what [ForGroup] sealed; sender is the key that the push
// names. Clear text comes back with Verified false. Nothing is returned beside
// an error.
func OpenGroup(g Group, sender ed25519.PublicKey, b Box) (GroupMessage, error) {
	raw, err := decode64(b.Ciphertext)
	if err != nil {
		return GroupMessage{}, err
	}
	if !bytes.HasPrefix(raw, []byte(groupMagic)) {
		text, err := OpenPlain(b)
		return GroupMessage{Text: text}, err
	}
	return openGroup(g, sender, b)
}

func openGroup(g Group, sender ed25519.PublicKey, b Box) (GroupMessage, error) {
	n, raw, err := b.parts()
	if err != nil {
		return GroupMessage{}, err
	}
	epoch, name, sealed, err := splitHeader(raw)
	if err != nil {
		return GroupMessage{}, err
	}
	if err := checkGroup(g.Target, name); err != nil {
		return GroupMessage{}, err
	}
	key, err := groupKey(g, epoch, name)
	if err != nil {
		return GroupMessage{}, err
	}
	body, ok := secretbox.Open(nil, sealed, n, (*[KeyLen]byte)(key))
	if !ok {
		return GroupMessage{}, ErrTampered
	}
	header := raw[:len(raw)-len(sealed)]
	return verifyBody(header, g.Mesh, sender, body)
}

// checkGroup compares the sealed name with the target that the frame gave.
func checkGroup(target, name string) error {
	if target == "" {
		return nil
	}
	want, err := GroupName(target)
	if err != nil {
		return err
	}
	if want != name {
		return fmt.Errorf("%w: sealed for another group", ErrTampered)
	}
	return nil
}

// verifyBody parses body and checks it against its signature and its sender.
func verifyBody(header []byte, mesh string, sender ed25519.PublicKey, body []byte) (GroupMessage, error) {
	const fixed = ed25519.SignatureSize + ed25519.PublicKeySize + 8 + 2
	if len(body) < fixed {
		return GroupMessage{}, ErrMalformed
	}
	signature, body := body[:ed25519.SignatureSize], body[ed25519.SignatureSize:]
	key, body := body[:ed25519.PublicKeySize], body[ed25519.PublicKeySize:]
	ms, body := binary.BigEndian.Uint64(body), body[8:]
	idLen, body := int(binary.BigEndian.Uint16(body)), body[2:]
	if ms > maxGroupTime || len(body) < idLen || !utf8.Valid(body[:idLen]) || !utf8.Valid(body[idLen:]) {
		return GroupMessage{}, ErrMalformed
	}
	m := GroupMessage{
		Sender: slices.Clone(key), ID: string(body[:idLen]), Text: string(body[idLen:]),
		Time: time.UnixMilli(int64(ms)).UTC(), Verified: true,
	}
	if !bytes.Equal(key, sender) || !ed25519.Verify(key, statement(header, mesh, m), signature) {
		return GroupMessage{}, ErrTampered
	}
	return m, nil
}

// groupKey derives the key of a group. It knows epoch 0 only.
func groupKey(g Group, epoch uint32, name string) (*Key, error) {
	if epoch != groupEpoch {
		return nil, ErrUnknownEpoch
	}
	if g.Root == nil {
		return nil, ErrNoKey
	}
	info := "v1|" + strconv.FormatUint(uint64(epoch), 10) + "|" + name
	key, err := hkdf.Key(sha256.New, g.Root[:], []byte(g.Mesh), info, KeyLen)
	if err != nil {
		return nil, fmt.Errorf("seal: group key: %w", err)
	}
	return (*Key)(key), nil
}

func groupHeader(epoch uint32, name string) []byte {
	h := append([]byte(groupMagic), groupVersion)
	h = binary.BigEndian.AppendUint32(h, epoch)
	h = binary.BigEndian.AppendUint16(h, uint16(len(name)))
	return append(h, name...)
}

// splitHeader parses the clear header of an envelope that starts with the
// magic. What follows is the box.
func splitHeader(raw []byte) (epoch uint32, name string, sealed []byte, err error) {
	rest := raw[len(groupMagic):]
	if len(rest) < 1+4+2 {
		return 0, "", nil, ErrMalformed
	}
	if rest[0] != groupVersion {
		return 0, "", nil, ErrUnknownEpoch
	}
	epoch, rest = binary.BigEndian.Uint32(rest[1:]), rest[5:]
	n, rest := int(binary.BigEndian.Uint16(rest)), rest[2:]
	if n == 0 || len(rest) < n || !utf8.Valid(rest[:n]) {
		return 0, "", nil, ErrMalformed
	}
	return epoch, string(rest[:n]), rest[n:], nil
}

// groupBody is the body without its signature.
func groupBody(m GroupMessage) []byte {
	b := slices.Clone([]byte(m.Sender))
	b = binary.BigEndian.AppendUint64(b, uint64(m.Time.UnixMilli()))
	b = binary.BigEndian.AppendUint16(b, uint16(len(m.ID)))
	return slices.Concat(b, []byte(m.ID), []byte(m.Text))
}

// statement is what the sender signs. Every field carries its length, so no two
// messages share a statement.
func statement(header []byte, mesh string, m GroupMessage) []byte {
	s := []byte(groupStatement)
	ms := binary.BigEndian.AppendUint64(nil, uint64(m.Time.UnixMilli()))
	for _, field := range [][]byte{header, []byte(mesh), m.Sender, ms, []byte(m.ID), []byte(m.Text)} {
		s = binary.BigEndian.AppendUint32(s, uint32(len(field)))
		s = append(s, field...)
	}
	return s
}
