package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// fingerprintVersion is the first field of what is hashed.
const fingerprintVersion = "1"

// SendRequest is what a request fingerprint identifies: what the user asked for,
// before names are resolved and bodies are sealed.
type SendRequest struct {
	Destination string // as typed
	ReplyToID   string
	Priority    Lane   // LaneNext if empty
	Meta        []byte // a JSON value; nil and {} differ
	Message     []byte
}

// Fingerprint returns the request's fingerprint. It fails only if Meta is not
// JSON.
func (r *SendRequest) Fingerprint() (string, error) {
	text, err := r.preimage()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

func (r *SendRequest) preimage() ([]byte, error) {
	meta := []byte(nil)
	if r.Meta != nil {
		var err error
		if meta, err = CanonicalJSON(r.Meta); err != nil {
			return nil, err
		}
	}
	priority := r.Priority
	if priority == "" {
		priority = LaneNext
	}
	kind, ref := splitDestination(r.Destination)
	fields := []string{fingerprintVersion, kind, ref, r.ReplyToID, string(priority), string(meta), ""}
	body := sha256.Sum256(r.Message)
	return append([]byte(strings.Join(fields, "\x00")), body[:]...), nil
}

// splitDestination calls groups and broadcasts topics, and all else, topics
// included, a dm. Both ends have to agree on that, so it stays as it is.
func splitDestination(typed string) (kind, ref string) {
	if typed == "*" {
		return "topic", typed
	}
	if name, ok := strings.CutPrefix(typed, "@"); ok {
		return "topic", name
	}
	return "dm", typed
}
