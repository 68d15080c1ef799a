package folder

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// share makes a shared directory beside a secret.
func share(t *testing.T) (f *Folder, dir string) {
	t.Helper()
	base := t.TempDir()
	dir = filepath.Join(base, "shared")
	for _, d := range []string{"sub/deep/deeper", ".git"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"shared/a.md": "a", "shared/sub/b.txt": "b", "shared/sub/deep/c.md": "c", "shared/.env": "secret", "shared/.git/config": "secret",
		"secret": "secret", "shared-not/x": "secret",
	} {
		file := filepath.Join(base, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"out": "../secret", "in": ".env", "dir": "..", "git": ".git"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	f, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, dir
}

func TestFilesInsideAreShownByEitherPath(t *testing.T) {
	t.Parallel()
	f, dir := share(t)
	for asked, want := range map[string]string{
		"a.md": "a", "./a.md": "a", "sub/b.txt": "b", "sub//deep/c.md": "c", filepath.Join(dir, "a.md"): "a",
	} {
		if got, err := f.Read(asked); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", asked, got, err)
		}
	}
}

func TestNothingElseIsShown(t *testing.T) {
	t.Parallel()
	f, dir := share(t)
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, asked := range []string{
		"", ".", "..", "../secret", "sub/../../secret", "sub/../a.md", "/etc/passwd", "out", "in", "dir/secret", "git/config",
		".env", ".git/config", "./.env", "sub", "pipe", "nothing", "a.md\x00", filepath.Join(dir, "../secret"), dir + "-not/x", "a.md/x",
	} {
		if got, err := f.Read(asked); !errors.Is(err, ErrPath) {
			t.Errorf("%q: %q, %v", asked, got, err)
		}
	}
	for _, asked := range []string{"..", "../", "/", ".git", "dir", "git", "a.md", "nothing"} {
		if got, err := f.List(asked, ""); !errors.Is(err, ErrPath) {
			t.Errorf("list %q: %q, %v", asked, got, err)
		}
	}
}

func TestAListHasTwoLevelsAndNothingHidden(t *testing.T) {
	t.Parallel()
	f, _ := share(t)
	for _, c := range []struct {
		dir, pattern string
		want         []string
	}{
		{"", "", []string{"a.md", "sub/", "sub/b.txt", "sub/deep/"}},
		{"sub", "", []string{"sub/b.txt", "sub/deep/", "sub/deep/c.md", "sub/deep/deeper/"}},
		{"", "*.md", []string{"a.md"}},
	} {
		if got, err := f.List(c.dir, c.pattern); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q %q: %q, %v; want %q", c.dir, c.pattern, got, err, c.want)
		}
	}
	if _, err := f.List("", "["); !errors.Is(err, ErrPattern) {
		t.Errorf("a pattern that is none: %v", err)
	}
}

func TestSizesAreBounded(t *testing.T) {
	t.Parallel()
	f, dir := share(t)
	for name, size := range map[string]int{"most": MaxFile, "more": MaxFile + 1} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Repeat("x", size)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := f.Read("most"); err != nil || len(got) != MaxFile {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := f.Read("more"); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	for i := range MaxEntries + 100 {
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := f.List("", ""); err != nil || len(got) != MaxEntries {
		t.Errorf("%d names, %v", len(got), err)
	}
}
