package receipt

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

const (
	magic   = "\xffCMR"
	version = 1
	domain  = "claudemesh-receipt"
	asking  = "cmreceipt1-"

	// Max is how many receipts one message carries.
	Max = 64
	// maxSize bounds what is parsed: 64 receipts have about 25,000 bytes.
	maxSize = 48 << 10
)

var idShape = regexp.MustCompile(`^` + asking + `[A-Z2-7]{26}$`)

// State is how far a message got.
type State string

// The states that a recipient can vouch for.
const (
	Delivered State = "delivered" // its program has the message, on disk
	Surfaced  State = "surfaced"  // it was printed, or handed to the model
)

// Receipt is one signed statement.
type Receipt struct {
	ID        string      `json:"id"` // the sender's client message id
	State     State       `json:"state"`
	At        wire.Millis `json:"at"`
	Key       string      `json:"key"`  // the signer: whom the message was sealed for
	Text      string      `json:"text"` // Digest of the message
	Signature string      `json:"signature"`
}

type body struct {
	Receipts []Receipt `json:"receipts"`
}

// ErrMalformed says that a message began like receipts and was none.
var ErrMalformed = errors.New("receipt: malformed")

// NewID makes a client message id that asks for receipts.
func NewID() string { return asking + rand.Text() }

// Asked reports whether a client message id asks for receipts.
func Asked(id string) bool { return idShape.MatchString(id) }

// Digest names a message's text.
func Digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// canonical is what is signed.
func (r *Receipt) canonical(mesh, sender string) []byte {
	return []byte(strings.Join([]string{
		domain, mesh, sender, r.ID, r.Text, string(r.State), r.At.String(), r.Key,
	}, "|"))
}

// Sign makes a receipt for a message of sender with that digest, by the key it
// was sealed for.
func Sign(mesh, sender, id, digest string, state State, at time.Time, key ed25519.PrivateKey) Receipt {
	r := Receipt{ID: id, State: state, At: wire.MillisAt(at), Key: wire.PublicKey(key), Text: digest}
	r.Signature = hex.EncodeToString(ed25519.Sign(key, r.canonical(mesh, sender)))
	return r
}

// Verify reports whether key has signed this receipt for a message of sender
// with that digest.
func (r *Receipt) Verify(mesh, sender, key, digest string) bool {
	public, err := hex.DecodeString(key)
	if err != nil || len(public) != ed25519.PublicKeySize || r.Key != key || r.Text != digest || !Asked(r.ID) ||
		r.State != Delivered && r.State != Surfaced {
		return false
	}
	signature, err := hex.DecodeString(r.Signature)
	return err == nil && ed25519.Verify(public, r.canonical(mesh, sender), signature)
}

// Encode makes the plaintext of a message that carries receipts.
func Encode(receipts []Receipt) ([]byte, error) {
	if len(receipts) == 0 || len(receipts) > Max {
		return nil, fmt.Errorf("%w: %s of them", ErrMalformed, strconv.Itoa(len(receipts)))
	}
	b, err := json.Marshal(body{receipts})
	if err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	return append([]byte(magic+string(rune(version))), b...), nil
}

// Is reports whether an opened message carries receipts, of whatever version:
// it is no text, and not to be shown.
func Is(plaintext []byte) bool { return bytes.HasPrefix(plaintext, []byte(magic)) }

// Decode reads what Encode made. What it returns is not verified yet.
func Decode(plaintext []byte) ([]Receipt, error) {
	rest, ok := bytes.CutPrefix(plaintext, []byte(magic+string(rune(version))))
	if !ok || len(rest) > maxSize {
		return nil, ErrMalformed
	}
	var b body
	if err := json.Unmarshal(rest, &b); err != nil || len(b.Receipts) == 0 || len(b.Receipts) > Max {
		return nil, ErrMalformed
	}
	return b.Receipts, nil
}
