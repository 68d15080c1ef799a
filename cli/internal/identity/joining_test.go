package identity

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(func(name string) string { return map[string]string{EnvConfigDir: dir}[name] })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAJoinThatWasBegunKeepsItsKeyUntilItEnds(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	soon := time.Now().Add(time.Hour)
	first, err := s.BeginJoin("token", "https://x/i/C#F", soon)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(s.Dir(), "joining.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info, err)
	}
	if again, err := open(t, s.Dir()).BeginJoin("token", "", soon); err != nil || !again.Equal(first) {
		t.Errorf("a repeat joins with another key: %v", err)
	}
	if other, err := s.BeginJoin("other", "", soon); err != nil || other.Equal(first) {
		t.Errorf("another invite joins with the same key: %v", err)
	}
	if token, err := s.Joining("https://x/i/C#F"); token != "token" || err != nil {
		t.Errorf("the short link stands for %q: %v", token, err)
	}
	if token, err := s.Joining("https://x/i/D#F"); token != "" || err != nil {
		t.Errorf("another short link stands for %q: %v", token, err)
	}
	for _, token := range []string{"token", "other", "never begun"} {
		if err := s.EndJoin(token); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(s.Dir(), "joining.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file outlives its last join: %v", err)
	}
	if anew, err := s.BeginJoin("token", "", soon); err != nil || anew.Equal(first) {
		t.Errorf("the key outlives the join: %v", err)
	}
}

func TestAJoinIsForgottenWhenItsInviteIsOver(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	if _, err := s.BeginJoin("old", "", time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.BeginJoin("new", "", time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if f, err := s.loadJoining(); err != nil || len(f.Joins) != 1 || f.Joins[0].Token != "new" {
		t.Errorf("%d joins are kept: %v", len(f.Joins), err)
	}
}

func TestCommandsThatJoinAtOnceHaveOneKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keys := make([]string, 8)
	var all sync.WaitGroup
	for i := range keys {
		all.Go(func() {
			key, err := open(t, dir).BeginJoin("token", "", time.Now().Add(time.Hour))
			if err != nil {
				t.Error(err)
			}
			keys[i] = hex.EncodeToString(key)
		})
	}
	all.Wait()
	for _, key := range keys {
		if key != keys[0] {
			t.Fatal("two keys for one invite")
		}
	}
}

func TestAFileOfJoinsThatIsNoneIsLeftAlone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		want func(error) bool
	}{
		"damaged":     {"{", 0o600, func(err error) bool { return errors.Is(err, ErrCorrupt) }},
		"wrong key":   {`{"joins":[{"token":"token","expiresAt":99999999999,"pubkey":"aa","secretKey":"bb"}]}`, 0o600, func(err error) bool { return errors.Is(err, ErrCorrupt) }},
		"for anybody": {`{"joins":[]}`, 0o644, func(err error) bool { loose := new(LooseModeError); return errors.As(err, &loose) }},
	} {
		s := open(t, t.TempDir())
		if err := os.WriteFile(s.joiningPath(), []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := s.BeginJoin("token", "", time.Now().Add(time.Hour)); !c.want(err) {
			t.Errorf("%s: %v", name, err)
		}
		if now, err := os.ReadFile(s.joiningPath()); err != nil || string(now) != c.text {
			t.Errorf("%s: %s, %v", name, now, err)
		}
	}
}

func TestReadingMakesNoDirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "not", "yet")
	s := open(t, dir)
	if c, err := s.Load(); err != nil || len(c.Meshes) != 0 {
		t.Errorf("%v, %v", c, err)
	}
	if _, err := s.Joining("x"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("looking left a directory: %v", err)
	}
	if err := s.Update(func(*Config) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
}
