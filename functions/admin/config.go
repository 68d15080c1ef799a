package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/door"
	"github.com/claudemesh/claudemesh/functions/registry"
)

// Creation says who may make meshes. The zero value lets nobody.
type Creation string

// The choices.
const (
	CreationOpen   Creation = "open"   // everybody
	CreationToken  Creation = "token"  // who shows the operator's token
	CreationClosed Creation = "closed" // nobody
)

// UnmarshalText reads one of the three words.
func (c *Creation) UnmarshalText(text []byte) error {
	switch v := Creation(text); v {
	case CreationOpen, CreationToken, CreationClosed:
		*c = v
		return nil
	}
	return fmt.Errorf("must be %s, %s or %s", CreationOpen, CreationToken, CreationClosed)
}

// HashOperatorToken returns the hash by which a token is configured, so that
// the token itself lies nowhere: hexadecimal SHA-256.
func HashOperatorToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// Config sets up the handler. Zero values mean the defaults.
type Config struct {
	Creation          Creation         // default CreationClosed
	OperatorTokenHash string           // see HashOperatorToken; required by CreationToken
	BrokerURL         string           // WebSocket address told to a mesh's owner; may be empty
	Address           door.Address     // nil: door.Direct
	CreateLimit       registry.Limit   // of new meshes from one address; default 60 at once, 30 a minute
	RequestLimit      registry.Limit   // of signed requests from one address, or of one who is known to the mesh; default 3,000 at once, 1,200 a minute
	Within            time.Duration    // 0: door.Within
	Now               func() time.Time // nil: time.Now
	Log               *slog.Logger     // nil: none

	// The rooms of peers and messages; routes of one that is nil are not served.
	Presence Presence
	Queue    Queue
	Depths   Depths
	Office   Office
	Fleet    Fleet
}

// A backup of the largest mesh is some 300 requests in a row.
var (
	defaultCreateLimit  = registry.Limit{Name: "create", Burst: 60, PerMinute: 30}
	defaultRequestLimit = registry.Limit{Name: "request", Burst: 3000, PerMinute: 1200}
)

func (c Config) withDefaults() (Config, error) {
	hash, err := hex.DecodeString(c.OperatorTokenHash)
	if c.Creation == CreationToken && (err != nil || len(hash) != sha256.Size) {
		return c, errors.New("admin: mesh creation by token needs the SHA-256 of the operator's token")
	}
	c.OperatorTokenHash = strings.ToLower(c.OperatorTokenHash)
	if c.Creation == "" {
		c.Creation = CreationClosed
	}
	if c.Address == nil {
		c.Address = door.Direct
	}
	if c.CreateLimit == (registry.Limit{}) {
		c.CreateLimit = defaultCreateLimit
	}
	if c.RequestLimit == (registry.Limit{}) {
		c.RequestLimit = defaultRequestLimit
	}
	if c.Within == 0 {
		c.Within = door.Within
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}

// operator reports whether r carries the operator's token. Hashing both makes
// the comparison take the same time whatever is sent.
func (c *Config) operator(r *http.Request) bool {
	given := HashOperatorToken(r.Header.Get(wire.HeaderOperatorToken))
	return subtle.ConstantTimeCompare([]byte(given), []byte(c.OperatorTokenHash)) == 1
}
