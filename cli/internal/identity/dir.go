package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/google/renameio/v2"
)

// Variables that move our files elsewhere.
const (
	EnvConfigDir   = "CLAUDEMESH_CONFIG_DIR"
	EnvSessionsDir = "CLAUDEMESH_SESSIONS_DIR"
)

const (
	dirMode  fs.FileMode = 0o700
	fileMode fs.FileMode = 0o600
)

// LooseModeError says that a file with secrets can be read by others. Its owner
// should tighten the mode, and think about who may have read it.
type LooseModeError struct {
	Path string
	Mode fs.FileMode
}

// Error names the file and its mode.
func (e *LooseModeError) Error() string {
	return fmt.Sprintf("identity: %s has mode %04o: others can read its keys", e.Path, e.Mode)
}

// ErrNoHome says that nothing tells where the identity directory is.
var ErrNoHome = errors.New("identity: the home directory is unknown")

// A Store is one identity directory.
type Store struct {
	dir      string
	sessions string
}

// Open returns the store that the environment names. Its directory is made when
// something is written there: who only reads leaves nothing behind.
func Open(getenv func(string) string) (*Store, error) {
	dir := getenv(EnvConfigDir)
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, ErrNoHome
		}
		dir = filepath.Join(home, ".claudemesh")
	}
	sessions := getenv(EnvSessionsDir)
	if sessions == "" {
		sessions = filepath.Join(dir, "sessions")
	}
	return &Store{dir: dir, sessions: sessions}, nil
}

// Make makes the store's directory, for what is not to be begun unless it can be
// kept.
func (s *Store) Make() error {
	if err := os.MkdirAll(s.dir, dirMode); err != nil {
		return fmt.Errorf("identity: make directory: %w", err)
	}
	return nil
}

// Dir returns the store's directory.
func (s *Store) Dir() string { return s.dir }

// readSecret reads a file that holds keys. It returns an error that wraps
// [fs.ErrNotExist] when there is none.
func readSecret(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, &LooseModeError{Path: path, Mode: mode}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	return data, nil
}

// writeSecret replaces a file that holds keys.
func writeSecret(path string, data []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return fmt.Errorf("identity: make directory: %w", err)
	}
	err := renameio.WriteFile(path, data, fileMode, renameio.WithTempDir(dir), renameio.WithStaticPermissions(fileMode))
	if err != nil {
		return fmt.Errorf("identity: write %s: %w", path, err)
	}
	return nil
}

// privateDir makes a directory in a place where others may make some too, and
// insists that it is ours alone.
func privateDir(dir string) error {
	if err := os.Mkdir(dir, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("identity: make directory: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm()&0o077 != 0 || !ok || int(owner.Uid) != os.Getuid() {
		return &LooseModeError{Path: dir, Mode: info.Mode().Perm()}
	}
	return nil
}

// missing reports whether err is about a file that does not exist.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
