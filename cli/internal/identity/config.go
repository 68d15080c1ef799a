package identity

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/gofrs/flock"
)

var (
	// ErrCorrupt says that a file of ours cannot be read as what it should be.
	// It is left alone: a person should look at it.
	ErrCorrupt = errors.New("identity: file is damaged")
	// ErrNoMesh says that no mesh was joined, or none of that name.
	ErrNoMesh = errors.New("identity: no such mesh")
	// ErrManyMeshes says that the caller has to choose one of several meshes.
	ErrManyMeshes = errors.New("identity: several meshes")
)

const configVersion = 1

// Config is the content of config.json. What we do not know in it is kept.
type Config struct {
	Version     int    `json:"version"`
	Meshes      []Mesh `json:"meshes"`
	DisplayName string `json:"displayName,omitempty"`

	others map[string]json.RawMessage
}

// Mesh is one membership.
type Mesh struct {
	MeshID        string `json:"meshId"`
	MemberID      string `json:"memberId"`
	Slug          string `json:"slug"` // the local handle, unique in the config
	Name          string `json:"name"`
	PublicKey     string `json:"pubkey"`
	SecretKey     string `json:"secretKey"`
	BrokerURL     string `json:"brokerUrl"`
	JoinedAt      string `json:"joinedAt"`
	RootKey       string `json:"rootKey,omitempty"` // URL-safe base64 without padding
	InviteVersion int    `json:"inviteVersion,omitempty"`

	// Ours; existing clients carry them along or drop them.
	OwnerPublicKey string     `json:"ownerPubkey,omitempty"`
	OwnerSecretKey string     `json:"ownerSecretKey,omitempty"`
	GroupPolicy    *PolicyPin `json:"groupPolicy,omitempty"`
	Verified       []string   `json:"verified,omitempty"`  // member keys whose safety numbers were compared
	AuditSeen      *AuditPin  `json:"auditSeen,omitempty"` // up to where the audit log was verified

	others map[string]json.RawMessage
}

// AuditPin is the last entry of an audit log that was verified.
type AuditPin struct {
	ID   string `json:"id"`
	Hash string `json:"hash"`
}

// The plain types have no methods, so that the JSON package sees their fields.
type (
	plainConfig Config
	plainMesh   Mesh
)

// UnmarshalJSON reads a config. An object without a list of meshes has none;
// what is no object is no config, and must not be written over as if it were an
// empty one.
func (c *Config) UnmarshalJSON(data []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil || fields == nil {
		return errors.New("it is no JSON object")
	}
	if m := fields["meshes"]; len(m) == 0 || m[0] != '[' {
		delete(fields, "meshes")
	}
	clean, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	var odd *json.UnmarshalTypeError
	switch err := json.Unmarshal(clean, (*plainConfig)(c)); {
	case errors.As(err, &odd):
		return fmt.Errorf("%s holds a %s", odd.Field, odd.Value)
	case err != nil:
		return err
	}
	c.others = withoutKnown(fields, plainConfig{})
	return nil
}

// MarshalJSON writes a config with the fields it was read with.
func (c Config) MarshalJSON() ([]byte, error) {
	if c.Version == 0 {
		c.Version = configVersion
	}
	if c.Meshes == nil {
		c.Meshes = []Mesh{}
	}
	return withOthers(plainConfig(c), c.others)
}

// UnmarshalJSON reads a membership.
func (m *Mesh) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, (*plainMesh)(m)); err != nil {
		return err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	m.others = withoutKnown(fields, plainMesh{})
	return nil
}

// MarshalJSON writes a membership with the fields it was read with.
func (m Mesh) MarshalJSON() ([]byte, error) { return withOthers(plainMesh(m), m.others) }

// String names the mesh without its keys, which must not reach a log.
func (m Mesh) String() string { return m.Slug }

// GoString hides the keys as well.
func (m Mesh) GoString() string { return m.Slug }

// MemberKey returns the member's key pair.
func (m Mesh) MemberKey() (ed25519.PrivateKey, error) {
	key, err := parseSecret(m.SecretKey, m.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("member key of %s: %w", m.Slug, err)
	}
	return key, nil
}

// OwnerKey returns the mesh owner's key pair, which only its creator has; false
// says that we are not the creator.
func (m Mesh) OwnerKey() (ed25519.PrivateKey, bool, error) {
	if m.OwnerSecretKey == "" {
		return nil, false, nil
	}
	key, err := parseSecret(m.OwnerSecretKey, m.OwnerPublicKey)
	if err != nil {
		return nil, false, fmt.Errorf("owner key of %s: %w", m.Slug, err)
	}
	return key, true, nil
}

// Root returns the mesh's root key, or nil when we joined without it.
func (m Mesh) Root() (*seal.Key, error) {
	if m.RootKey == "" {
		return nil, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(m.RootKey)
	if err != nil || len(b) != seal.KeyLen {
		return nil, fmt.Errorf("root key of %s: %w", m.Slug, ErrCorrupt)
	}
	return (*seal.Key)(b), nil
}

// SetRoot stores a root key, unless it is a decoy.
func (m *Mesh) SetRoot(root seal.Key) {
	if !seal.IsDecoy(root) {
		m.RootKey = EncodeRoot(root)
	}
}

// EncodeRoot returns a root key as files and invites hold it.
func EncodeRoot(root seal.Key) string { return base64.RawURLEncoding.EncodeToString(root[:]) }

// Choose returns the mesh with that slug, name or id; with an empty choice, the
// only one there is.
func (c *Config) Choose(choice string) (*Mesh, error) {
	if choice == "" {
		switch len(c.Meshes) {
		case 0:
			return nil, ErrNoMesh
		case 1:
			return &c.Meshes[0], nil
		default:
			return nil, ErrManyMeshes
		}
	}
	for _, match := range []func(Mesh) string{
		func(m Mesh) string { return m.Slug },
		func(m Mesh) string { return m.MeshID },
		func(m Mesh) string { return m.Name },
	} {
		if i := slices.IndexFunc(c.Meshes, func(m Mesh) bool { return match(m) == choice }); i >= 0 {
			return &c.Meshes[i], nil
		}
	}
	return nil, fmt.Errorf("%w: %s", ErrNoMesh, choice)
}

// Joined returns the entry of a mesh, or nil.
func (c *Config) Joined(meshID string) *Mesh {
	i := slices.IndexFunc(c.Meshes, func(m Mesh) bool { return m.MeshID == meshID })
	if i < 0 {
		return nil
	}
	return &c.Meshes[i]
}

// called returns the entry with that handle, or nil.
func (c *Config) called(slug string) *Mesh {
	i := slices.IndexFunc(c.Meshes, func(m Mesh) bool { return m.Slug == slug })
	if i < 0 {
		return nil
	}
	return &c.Meshes[i]
}

func (c *Config) remove(slug string) {
	c.Meshes = slices.DeleteFunc(c.Meshes, func(m Mesh) bool { return m.Slug == slug })
}

// Add appends a membership. Existing clients let a second mesh of the same slug
// replace the first, and with it its keys; we give the newcomer another handle.
func (c *Config) Add(m Mesh) *Mesh {
	slug := m.Slug
	for n := 2; slices.ContainsFunc(c.Meshes, func(o Mesh) bool { return o.Slug == m.Slug }); n++ {
		m.Slug = slug + "-" + strconv.Itoa(n)
	}
	c.Meshes = append(c.Meshes, m)
	return &c.Meshes[len(c.Meshes)-1]
}

// Load reads the config. Without a file it is empty.
func (s *Store) Load() (*Config, error) {
	data, err := readSecret(s.configPath())
	if missing(err) {
		return &Config{Version: configVersion}, nil
	}
	if err != nil {
		return nil, err
	}
	c := new(Config)
	if err := json.Unmarshal(data, c); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrCorrupt, s.configPath(), err)
	}
	return c, nil
}

// Update changes the config under a lock, so that two commands at once do not
// lose each other's change. Nothing is written when change fails.
func (s *Store) Update(change func(*Config) error) error {
	return s.locked(func() error {
		c, err := s.Load()
		if err != nil {
			return err
		}
		if err := change(c); err != nil {
			return err
		}
		data, err := json.MarshalIndent(c, "", "  ")
		if err != nil {
			return fmt.Errorf("identity: config: %w", err)
		}
		return writeSecret(s.configPath(), append(data, '\n'))
	})
}

// locked calls f while no other command changes what the config's lock guards.
func (s *Store) locked(f func() error) error {
	if err := s.Make(); err != nil {
		return err
	}
	lock := flock.New(filepath.Join(s.dir, "config.lock"), flock.SetPermissions(fileMode))
	if err := lock.Lock(); err != nil {
		return fmt.Errorf("identity: lock config: %w", err)
	}
	defer lock.Close()
	return f()
}

func (s *Store) configPath() string { return filepath.Join(s.dir, "config.json") }

// NewKey makes a key pair.
func NewKey() (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("identity: make key: %w", err)
	}
	return key, nil
}

// EncodeKey returns both halves of a key pair as the files hold them.
func EncodeKey(key ed25519.PrivateKey) (public, secret string) {
	return wire.PublicKey(key), hex.EncodeToString(key)
}

// parseSecret reads a key pair and checks that both halves belong together: a
// signature by a pair that does not would reveal the secret.
func parseSecret(secret, public string) (ed25519.PrivateKey, error) {
	b, err := hex.DecodeString(secret)
	if err != nil || len(b) != ed25519.PrivateKeySize {
		return nil, ErrCorrupt
	}
	key := ed25519.NewKeyFromSeed(b[:ed25519.SeedSize])
	if want, err := hex.DecodeString(public); err != nil || !key.Equal(ed25519.PrivateKey(b)) ||
		!key.Public().(ed25519.PublicKey).Equal(ed25519.PublicKey(want)) {
		return nil, ErrCorrupt
	}
	return key, nil
}
