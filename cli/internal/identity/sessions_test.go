package identity

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// withSession returns a store with one mesh and a session in it.
func withSession(t *testing.T, slug string) (*Store, *Session) {
	t.Helper()
	s := newStore(t)
	if err := s.Update(func(c *Config) error { c.Add(newMesh(t, slug)); return nil }); err != nil {
		t.Fatal(err)
	}
	session, err := s.OpenSession(slug, SessionID("/work", ""))
	if err != nil {
		t.Fatal(err)
	}
	if err := session.SaveCursor("M", "E/7/j"); err != nil {
		t.Fatal(err)
	}
	return s, session
}

func TestARenamedMeshKeepsItsSessions(t *testing.T) {
	t.Parallel()
	s, session := withSession(t, "acme")
	if known, err := s.Sessions("acme"); err != nil || len(known) != 1 || !known[0].Held || !known[0].Key.Equal(session.Key) {
		t.Errorf("%v, %v", known, err)
	}
	if err := s.Rename("acme", "shop"); !errors.Is(err, ErrHeld) {
		t.Errorf("while a session runs: %v", err)
	}
	if err := session.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Rename("acme", "shop"); err != nil {
		t.Fatal(err)
	}
	again, err := s.OpenSession("shop", session.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if !again.Key.Equal(session.Key) || again.Cursor("M") != "E/7/j" {
		t.Error("the session is another one")
	}
	c, err := s.Load()
	if err != nil || c.called("shop") == nil || c.called("acme") != nil {
		t.Errorf("%v, %v", c.Meshes, err)
	}
	if old, err := s.Sessions("acme"); err != nil || len(old) != 0 {
		t.Errorf("left behind: %v, %v", old, err)
	}
}

func TestAMeshIsRenamedToNothingThatIsTakenOrNoName(t *testing.T) {
	t.Parallel()
	s, session := withSession(t, "acme")
	defer session.Close()
	if err := s.Update(func(c *Config) error { c.Add(newMesh(t, "shop")); return nil }); err != nil {
		t.Fatal(err)
	}
	for to, want := range map[string]error{"shop": ErrTaken, "../x": ErrBadName, "..": ErrBadName} {
		if err := s.Rename("acme", to); !errors.Is(err, want) {
			t.Errorf("%s: %v", to, err)
		}
	}
	if err := s.Rename("nowhere", "x"); !errors.Is(err, ErrNoMesh) {
		t.Errorf("unknown: %v", err)
	}
}

func TestAForgottenMeshLeavesNoKey(t *testing.T) {
	t.Parallel()
	s, session := withSession(t, "acme")
	if err := session.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Forget("acme"); err != nil {
		t.Fatal(err)
	}
	if c, err := s.Load(); err != nil || len(c.Meshes) != 0 {
		t.Errorf("%v, %v", c.Meshes, err)
	}
	if _, err := os.Stat(filepath.Join(s.sessions, "acme")); !missing(err) {
		t.Errorf("sessions: %v", err)
	}
	if err := s.Forget("acme"); !errors.Is(err, ErrNoMesh) {
		t.Errorf("twice: %v", err)
	}
}

func TestARestoredConfigKeepsTheOneBefore(t *testing.T) {
	t.Parallel()
	s, session := withSession(t, "acme")
	defer session.Close()
	before, err := s.Raw()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Replace([]byte(`{"meshes":[{"pubkey":"aa","secretKey":"bb"}]}`), time.UnixMilli(5)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("damaged keys: %v", err)
	}
	if _, err := s.Replace([]byte(`no config`), time.UnixMilli(5)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("no JSON: %v", err)
	}
	kept, err := s.Replace([]byte(`{"version":1,"meshes":[],"other":7}`), time.UnixMilli(5))
	if err != nil || kept != s.ConfigPath()+".before-restore.5" {
		t.Fatalf("%q, %v", kept, err)
	}
	if data, err := os.ReadFile(kept); err != nil || string(data) != string(before) || mode(t, kept) != 0o600 {
		t.Errorf("kept %q, mode %o, %v", data, mode(t, kept), err)
	}
	if data, err := s.Raw(); err != nil || string(data) != `{"version":1,"meshes":[],"other":7}` {
		t.Errorf("restored %q, %v", data, err)
	}
	empty := newStore(t)
	if kept, err := empty.Replace(before, time.UnixMilli(5)); err != nil || kept != "" {
		t.Errorf("into nothing: %q, %v", kept, err)
	}
	if _, err := newStore(t).Raw(); !errors.Is(err, ErrNoMesh) {
		t.Errorf("nothing to back up: %v", err)
	}
}

func TestAHandleThatNamesNoFileCanBeRenamedAndForgotten(t *testing.T) {
	t.Parallel()
	for _, odd := range []string{"Acme", "../x", "..", "a b"} {
		s := newStore(t)
		if err := s.Update(func(c *Config) error { c.Add(newMesh(t, odd)); c.Add(newMesh(t, odd)); return nil }); err != nil {
			t.Fatal(err)
		}
		if _, err := s.OpenSession(odd, SessionID("/work", "")); !errors.Is(err, ErrBadName) {
			t.Errorf("%q: %v", odd, err)
		}
		if err := s.Rename(odd, "acme"); err != nil {
			t.Errorf("%q: %v", odd, err)
		}
		if err := s.Forget(odd + "-2"); err != nil {
			t.Errorf("%q: %v", odd, err)
		}
	}
}
