package provision

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A way is one way of getting a server onto the machine.
type way struct {
	what string // for people, before it runs: "installing … with …"
	run  func(ctx context.Context) error
}

// managers are the package managers that install for everybody and therefore
// need root, with what each calls a server. None of the packages but Debian's
// starts a service, and Debian's is the last resort.
var managers = []struct {
	program  string
	install  []string
	packages []string
}{
	{"dnf", []string{"install", "-y"}, []string{"valkey", "redis"}},
	{"yum", []string{"install", "-y"}, []string{"valkey", "redis"}},
	{"apk", []string{"add", "--no-cache"}, []string{"valkey", "redis"}},
	{"zypper", []string{"--non-interactive", "install"}, []string{"valkey", "redis"}},
	{"pacman", []string{"-Sy", "--noconfirm"}, []string{"valkey", "redis"}},
	{"apt-get", []string{"install", "-y", "--no-install-recommends"}, []string{"redis-server"}},
}

// ways lists what can be tried on this machine, the gentlest first.
func (m *machine) ways() []way {
	var ways []way
	if m.cache != "" && m.program("apt-get") != "" && m.program("dpkg-deb") != "" {
		ways = append(ways, way{"unpacking Debian's package into " + m.cache, m.unpackPrivately})
	}
	// Homebrew refuses to work for root.
	if brew := m.program("brew"); brew != "" && !m.root {
		ways = append(ways, way{"installing redis with brew", func(ctx context.Context) error {
			_, err := m.command(ctx, brew, "install", "redis")
			return err
		}})
	}
	for _, pm := range managers {
		path := m.program(pm.program)
		if path == "" {
			continue
		}
		for _, pkg := range pm.packages {
			what := fmt.Sprintf("installing %s with %s", pkg, pm.program)
			ways = append(ways, way{what, func(ctx context.Context) error {
				return m.asRoot(ctx, append(append([]string{path}, pm.install...), pkg)...)
			}})
		}
	}
	return ways
}

// asRoot runs a command as root, or fails at once where that would need a
// password.
func (m *machine) asRoot(ctx context.Context, argv ...string) error {
	if !m.root {
		sudo := m.program("sudo")
		if sudo == "" {
			return errors.New("needs root, and there is no sudo")
		}
		argv = append([]string{sudo, "-n"}, argv...)
	}
	_, err := m.command(ctx, argv[0], argv[1:]...)
	return err
}

// command runs a program and returns what it wrote to standard output. Its
// error carries the last lines of its talk, which is where package managers
// say what is wrong.
func (m *machine) command(ctx context.Context, path string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(),
		"PATH="+strings.Join(m.dirs, string(os.PathListSeparator)),
		"DEBIAN_FRONTEND=noninteractive", "NONINTERACTIVE=1", "HOMEBREW_NO_AUTO_UPDATE=1",
		"LC_ALL=C") // their output is read
	// A child that keeps the pipe open must not hold us beyond our time.
	cmd.WaitDelay = 5 * time.Second
	var stdout, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &talk
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("%s: %w", filepath.Base(path), ctx.Err())
	case err != nil:
		return "", fmt.Errorf("%s: %w: %s", filepath.Base(path), err, lastLines(append(stdout.Bytes(), talk.Bytes()...)))
	}
	return stdout.String(), nil
}

// lastLines keeps an error readable: package managers talk a lot.
func lastLines(out []byte) string {
	const most = 4
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return strings.Join(lines[max(0, len(lines)-most):], " / ")
}

func firstLine(out []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return line
}
