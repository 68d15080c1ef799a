package identity

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

var (
	// ErrHeld says that another process speaks for the session. Two at once
	// would take it from each other for ever.
	ErrHeld = errors.New("identity: session is in use")
	// ErrBadName says that a slug or a session id is not fit to be a file name.
	ErrBadName = errors.New("identity: bad name")
)

var (
	slugShape = regexp.MustCompile(`^[a-z0-9._-]+$`)
	uuidShape = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
)

// fitsFiles reports whether a slug can name a directory.
func fitsFiles(slug string) bool { return slugShape.MatchString(slug) && strings.Trim(slug, ".") != "" }

// SessionID names the session of a working directory, so that a program which
// comes back there is the same peer. A name sets apart several sessions of one
// directory; a name that is a UUID is the session id itself.
//
// The id is a UUID of version 8 made of the SHA-256 of "claudemesh-session", the
// directory and the name, each followed by a zero byte.
func SessionID(dir, name string) string {
	if uuidShape.MatchString(name) {
		return name
	}
	h := sha256.Sum256([]byte("claudemesh-session\x00" + dir + "\x00" + name + "\x00"))
	h[6] = h[6]&0x0f | 0x80
	h[8] = h[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// Session is a session key that this process alone speaks with.
type Session struct {
	ID  string
	Key ed25519.PrivateKey

	cursorPath string
	lock       *flock.Flock
}

// sessionFile is the content of a session's key file.
type sessionFile struct {
	Version   int    `json:"version"`
	MeshSlug  string `json:"meshSlug"`
	SessionID string `json:"sessionId"`
	PublicKey string `json:"publicKey"`
	SecretKey string `json:"secretKey"`
	CreatedAt string `json:"createdAt"`
}

// cursorFile names its mesh: a slug may come to mean another one.
type cursorFile struct {
	MeshID string `json:"meshId"`
	Cursor string `json:"cursor"`
}

// OpenSession takes a session of a mesh, making its key at the first time. It
// returns [ErrHeld] when another process has it. The caller closes it.
func (s *Store) OpenSession(slug, id string) (*Session, error) {
	base, err := s.sessionBase(slug, id)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(base), dirMode); err != nil {
		return nil, fmt.Errorf("identity: make directory: %w", err)
	}
	lock := flock.New(base+".lock", flock.SetPermissions(fileMode))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("identity: lock session: %w", err)
	}
	if !ok {
		return nil, ErrHeld
	}
	key, err := loadSessionKey(base+".json", slug, id)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &Session{ID: id, Key: key, cursorPath: base + ".cursor", lock: lock}, nil
}

// maxSocketPath is what the systems we run on allow, less some for the name
// under which a socket is made.
const maxSocketPath = 104 - 16

// SocketPath is where the process that holds a session listens to the commands
// of its directory: in the identity directory, under a short name. Where even
// that is too long for a socket, it is in a directory of ours among the
// temporary ones.
func (s *Store) SocketPath(slug, id string) (string, error) {
	if _, err := s.sessionBase(slug, id); err != nil {
		return "", err
	}
	h := sha256.Sum256([]byte(slug + "\x00" + id))
	name := fmt.Sprintf("s-%x.sock", h[:6])
	if path := filepath.Join(s.dir, name); len(path) <= maxSocketPath {
		return path, nil
	}
	h = sha256.Sum256([]byte(s.dir))
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("claudemesh-%d-%x", os.Getuid(), h[:6]))
	if err := privateDir(dir); err != nil {
		return "", err
	}
	return filepath.Join(dir, name), nil
}

func (s *Store) sessionBase(slug, id string) (string, error) {
	if !fitsFiles(slug) || !uuidShape.MatchString(id) {
		return "", fmt.Errorf("%w: session %q of %q", ErrBadName, id, slug)
	}
	return filepath.Join(s.sessions, slug, id), nil
}

func loadSessionKey(path, slug, id string) (ed25519.PrivateKey, error) {
	data, err := readSecret(path)
	if missing(err) {
		return makeSessionKey(path, slug, id)
	}
	if err != nil {
		return nil, err
	}
	var f sessionFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrCorrupt, path, err)
	}
	key, err := parseSecret(f.SecretKey, f.PublicKey)
	if err != nil || f.SessionID != id || f.MeshSlug != slug {
		return nil, fmt.Errorf("%w: %s", ErrCorrupt, path)
	}
	return key, nil
}

func makeSessionKey(path, slug, id string) (ed25519.PrivateKey, error) {
	key, err := NewKey()
	if err != nil {
		return nil, err
	}
	public, secret := EncodeKey(key)
	data, err := json.Marshal(sessionFile{
		Version: 1, MeshSlug: slug, SessionID: id, PublicKey: public, SecretKey: secret,
		CreatedAt: time.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
	})
	if err != nil {
		return nil, fmt.Errorf("identity: session: %w", err)
	}
	return key, writeSecret(path, data)
}

// Cursor returns the journal position stored for a mesh, or "". A cursor that
// cannot be read counts as none: the broker then says what was missed.
func (s *Session) Cursor(meshID string) string {
	data, err := os.ReadFile(s.cursorPath)
	if err != nil {
		return ""
	}
	var f cursorFile
	if json.Unmarshal(data, &f) != nil || f.MeshID != meshID {
		return ""
	}
	return f.Cursor
}

// SaveCursor stores a journal position.
func (s *Session) SaveCursor(meshID, cursor string) error {
	data, err := json.Marshal(cursorFile{MeshID: meshID, Cursor: cursor})
	if err != nil {
		return fmt.Errorf("identity: cursor: %w", err)
	}
	return writeSecret(s.cursorPath, data)
}

// Close lets another process take the session.
func (s *Session) Close() error { return s.lock.Close() }
