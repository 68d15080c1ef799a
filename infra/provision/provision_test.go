package provision

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	server7 = `echo "Redis server v=7.2.4 sha=00000000:0 malloc=libc bits=64"`
	server6 = `echo "Redis server v=6.0.16 sha=00000000:0 malloc=libc bits=64"`

	// fakeDpkg unpacks every package to the same server.
	fakeDpkg = `mkdir -p "$3/usr/bin" "$3/usr/lib" && : > "$3/usr/lib/liblzf.so.1" &&
printf '#!/bin/sh\n` + `echo "Redis server v=7.0.15 from $LD_LIBRARY_PATH"` + `\n' > "$3/usr/bin/redis-server" && chmod +x "$3/usr/bin/redis-server"`

	// fakeApt knows the packages at once.
	fakeApt = `case "$*" in
*--simulate*) echo "Inst liblzf1 (3.6-3 Debian:12/stable [amd64])"; echo "Inst redis-server (7.0 Debian:12/stable [amd64])" ;;
*download*) : > redis-server.deb ;;
esac`

	// staleApt knows them only after an update that names a private index.
	staleApt = `case "$*" in
*Dir::State=*update*) : > "$(dirname "$0")/updated" ;;
*Dir::State=*) test -e "$(dirname "$0")/updated" || exit 100
` + `	case "$*" in *--simulate*) echo "Inst redis-server (7.0)" ;; *) : > redis-server.deb ;; esac ;;
*) echo "E: Unable to locate package" >&2; exit 100 ;;
esac`
)

// fakeMachine is a machine that has these programs and nothing else. Every run
// of a program but a server is noted, a line each.
type fakeMachine struct {
	machine
	tb   testing.TB
	bin  string
	said bytes.Buffer
}

func newMachine(t *testing.T, programs map[string]string) *fakeMachine {
	t.Helper()
	f := &fakeMachine{tb: t, bin: t.TempDir()}
	f.machine = machine{dirs: []string{f.bin}, cache: filepath.Join(t.TempDir(), "claudemesh"), say: &f.said}
	for name, body := range programs {
		f.add(name, body)
	}
	return f
}

func (f *fakeMachine) add(name, body string) {
	f.tb.Helper()
	script := "#!/bin/sh\nPATH=/usr/bin:/bin\n"
	if !strings.HasSuffix(name, "-server") {
		script += `echo "$(basename "$0") $*" >> "$(dirname "$0")/ran"` + "\n"
	}
	if err := writeProgram(filepath.Join(f.bin, name), script+body+"\n"); err != nil {
		f.tb.Fatal(err)
	}
}

func (f *fakeMachine) ran() string {
	out, err := os.ReadFile(filepath.Join(f.bin, "ran"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		f.tb.Fatal(err)
	}
	return string(out)
}

func TestAServerOnPathIsUsedInSilence(t *testing.T) {
	t.Parallel()
	for _, name := range serverNames {
		m := newMachine(t, map[string]string{name: server7, "apt-get": fakeApt, "dpkg-deb": fakeDpkg})
		got, err := m.ensure(t.Context())
		if want := filepath.Join(m.bin, name); got != want || err != nil {
			t.Errorf("ensure = %q, %v; want %q", got, err, want)
		}
		if m.said.Len() > 0 || m.ran() != "" {
			t.Errorf("said %q and ran %q, want neither", &m.said, m.ran())
		}
	}
}

func TestAServerThatCannotServeIsPassedOver(t *testing.T) {
	t.Parallel()
	for what, body := range map[string]string{
		"too old":           server6,
		"does not start":    "echo 'error while loading shared libraries' >&2; exit 127",
		"something else":    "echo hello",
		"older than digits": "echo 'Redis server v=99999999999999999999.1'",
	} {
		m := newMachine(t, map[string]string{"redis-server": body})
		if _, err := m.find(t.Context()); !errors.Is(err, ErrNone) {
			t.Errorf("%s: find = %v, want ErrNone", what, err)
		}
		m.add("valkey-server", server7)
		if got, err := m.find(t.Context()); filepath.Base(got) != "valkey-server" {
			t.Errorf("%s: find = %q, %v; want the other server", what, got, err)
		}
	}
}

func TestTheOverrideIsThisServerOrNone(t *testing.T) {
	t.Parallel()
	m := newMachine(t, map[string]string{"redis-server": server7, "apt-get": fakeApt, "dpkg-deb": fakeDpkg, "mine": server7})
	m.override = filepath.Join(m.bin, "mine")
	if got, err := m.ensure(t.Context()); got != m.override || err != nil {
		t.Errorf("ensure = %q, %v; want the override", got, err)
	}
	m.override = filepath.Join(m.bin, "missing")
	if _, err := m.ensure(t.Context()); !errors.Is(err, ErrNone) || !strings.Contains(err.Error(), Override) {
		t.Errorf("ensure = %v, want an error that names the variable", err)
	}
}

func TestWithoutAServerAPrivateCopyIsUnpacked(t *testing.T) {
	t.Parallel()
	m := newMachine(t, map[string]string{"apt-get": fakeApt, "dpkg-deb": fakeDpkg})
	got, err := m.ensure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got != m.privateServer() {
		t.Errorf("ensure = %q, want the private copy", got)
	}
	out, err := m.command(t.Context(), got, "--version")
	if want := filepath.Join(m.cache, "redis", "usr", "lib"); err != nil || !strings.Contains(out, want) {
		t.Errorf("version = %q, %v; want its libraries to be found in %s", out, err, want)
	}
	if !strings.Contains(m.ran(), "download liblzf1 redis-server") {
		t.Errorf("ran %q, want the planned packages to be downloaded", m.ran())
	}
	left, err := filepath.Glob(filepath.Join(m.cache, "unpack-*"))
	if len(left) > 0 || err != nil {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

func TestAStaleIndexIsReadAgainPrivately(t *testing.T) {
	t.Parallel()
	m := newMachine(t, map[string]string{"apt-get": staleApt, "dpkg-deb": fakeDpkg})
	if got, err := m.ensure(t.Context()); got != m.privateServer() {
		t.Fatalf("ensure = %q, %v; want the private copy\nran:\n%s", got, err, m.ran())
	}
}

func TestProcessesThatStartTogetherInstallOnce(t *testing.T) {
	t.Parallel()
	m := newMachine(t, map[string]string{"apt-get": fakeApt, "dpkg-deb": fakeDpkg})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			own := m.machine
			own.say = t.Output()
			if got, err := own.ensure(t.Context()); got != m.privateServer() {
				t.Errorf("ensure = %q, %v", got, err)
			}
		})
	}
	wg.Wait()
	if n := strings.Count(m.ran(), "dpkg-deb"); n != 1 {
		t.Errorf("unpacked %d times, want once:\n%s", n, m.ran())
	}
}

func TestRootIsReachedWithoutAPasswordOrNotAtAll(t *testing.T) {
	t.Parallel()
	for _, pm := range managers {
		for _, root := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, root %t", pm.program, root), func(t *testing.T) {
				t.Parallel()
				m := newMachine(t, map[string]string{
					"sudo":     `shift; exec "$@"`,
					pm.program: "printf '#!/bin/sh\\n" + server7 + "\\n' > \"$(dirname \"$0\")/redis-server\"; chmod +x \"$(dirname \"$0\")/redis-server\"",
				})
				m.root = root
				if _, err := m.ensure(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := strings.Contains(m.ran(), "sudo -n"); got == root {
					t.Errorf("ran %q", m.ran())
				}
			})
		}
	}
}

func TestAFailureTellsWhatWasTriedAndWhatToDo(t *testing.T) {
	t.Parallel()
	m := newMachine(t, map[string]string{
		"apt-get": "echo 'E: no network' >&2; exit 100", "dpkg-deb": fakeDpkg,
		"sudo": "echo 'sudo: a password is required' >&2; exit 1",
	})
	_, err := m.ensure(t.Context())
	if !errors.Is(err, ErrNone) {
		t.Fatalf("ensure = %v, want ErrNone", err)
	}
	for _, want := range []string{"no network", "a password is required", "hint:", Override} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
}

func TestAnInstallationThatHangsEndsWithItsTime(t *testing.T) {
	t.Parallel()
	m := newMachine(t, map[string]string{"apt-get": "exec sleep 600", "dpkg-deb": fakeDpkg})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := m.ensure(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ensure = %v, want the deadline", err)
	}
}
