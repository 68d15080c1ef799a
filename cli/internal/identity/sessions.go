package identity

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
)

// ErrTaken says that another mesh has that handle.
var ErrTaken = errors.New("identity: another mesh has this handle")

// KnownSession is a session whose key is on this machine.
type KnownSession struct {
	ID   string
	Key  ed25519.PrivateKey
	Held bool // a process speaks for it now
}

// Sessions returns the sessions of a mesh.
func (s *Store) Sessions(slug string) ([]KnownSession, error) {
	if !fitsFiles(slug) {
		return nil, fmt.Errorf("%w: %q", ErrBadName, slug)
	}
	paths, err := filepath.Glob(filepath.Join(s.sessions, slug, "*.json"))
	if err != nil {
		return nil, fmt.Errorf("identity: sessions: %w", err)
	}
	var all []KnownSession
	for _, path := range paths {
		id := strings.TrimSuffix(filepath.Base(path), ".json")
		if !uuidShape.MatchString(id) {
			continue
		}
		key, err := loadSessionKey(path, slug, id)
		if err != nil {
			return nil, err
		}
		held, err := isHeld(strings.TrimSuffix(path, ".json") + ".lock")
		if err != nil {
			return nil, err
		}
		all = append(all, KnownSession{ID: id, Key: key, Held: held})
	}
	return all, nil
}

// isHeld reports whether a process holds the lock.
func isHeld(path string) (bool, error) {
	if _, err := os.Stat(path); missing(err) {
		return false, nil
	}
	lock := flock.New(path, flock.SetPermissions(fileMode))
	ok, err := lock.TryLock()
	if err != nil {
		return false, fmt.Errorf("identity: lock session: %w", err)
	}
	return !ok, lock.Close()
}

// Rename gives a mesh another handle. Its sessions go with it, so none may be
// in use: that is [ErrHeld]. A crash on the way leaves copies, and no loss. A
// handle that is no name for files, which other clients allow, has no sessions.
func (s *Store) Rename(from, to string) error {
	if !fitsFiles(to) {
		return fmt.Errorf("%w: %q", ErrBadName, to)
	}
	err := s.Update(func(c *Config) error {
		entry := c.called(from)
		switch {
		case entry == nil:
			return fmt.Errorf("%w: %s", ErrNoMesh, from)
		case c.called(to) != nil:
			return ErrTaken
		}
		entry.Slug = to
		if !fitsFiles(from) {
			return nil
		}
		return s.copySessions(from, to)
	})
	if err != nil || !fitsFiles(from) {
		return err
	}
	return s.dropSessions(from)
}

// Forget removes a mesh, and the keys of its sessions.
func (s *Store) Forget(slug string) error {
	err := s.Update(func(c *Config) error {
		entry := c.called(slug)
		if entry == nil {
			return fmt.Errorf("%w: %s", ErrNoMesh, slug)
		}
		c.remove(entry.Slug)
		return nil
	})
	if err != nil || !fitsFiles(slug) {
		return err
	}
	return s.dropSessions(slug)
}

func (s *Store) copySessions(from, to string) error {
	sessions, err := s.Sessions(from)
	if err != nil {
		return err
	}
	for _, known := range sessions {
		if known.Held {
			return ErrHeld
		}
	}
	if err := s.dropSessions(to); err != nil { // of a mesh that was left
		return err
	}
	for _, known := range sessions {
		if err := s.copySession(known.ID, from, to); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) copySession(id, from, to string) error {
	old, next := filepath.Join(s.sessions, from, id), filepath.Join(s.sessions, to, id)
	data, err := readSecret(old + ".json")
	if err != nil {
		return err
	}
	var f sessionFile
	if err := json.Unmarshal(data, &f); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrCorrupt, old, err)
	}
	f.MeshSlug = to
	if data, err = json.Marshal(f); err != nil {
		return fmt.Errorf("identity: session: %w", err)
	}
	if err := writeSecret(next+".json", data); err != nil {
		return err
	}
	switch cursor, err := os.ReadFile(old + ".cursor"); {
	case missing(err):
		return nil
	case err != nil:
		return fmt.Errorf("identity: cursor: %w", err)
	default:
		return writeSecret(next+".cursor", cursor)
	}
}

func (s *Store) dropSessions(slug string) error {
	if !fitsFiles(slug) {
		return fmt.Errorf("%w: %q", ErrBadName, slug)
	}
	if err := os.RemoveAll(filepath.Join(s.sessions, slug)); err != nil {
		return fmt.Errorf("identity: remove sessions: %w", err)
	}
	return nil
}
