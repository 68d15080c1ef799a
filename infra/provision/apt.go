package provision

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// privateServer is the server that [machine.unpackPrivately] leaves: a script,
// because the unpacked program has to be told where its libraries are.
func (m *machine) privateServer() string { return filepath.Join(m.cache, "redis", "redis-server") }

// unpackPrivately downloads Debian's package and those it needs that are not
// installed, and unpacks them below the cache. Nothing is installed: no root,
// no service, and removing the directory undoes it.
func (m *machine) unpackPrivately(ctx context.Context) error {
	work, err := os.MkdirTemp(m.cache, "unpack-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()

	debs, err := m.download(ctx, work)
	if err != nil {
		return err
	}
	tree := filepath.Join(work, "redis")
	for _, deb := range debs {
		if _, err := m.command(ctx, m.program("dpkg-deb"), "-x", deb, tree); err != nil {
			return err
		}
	}
	home := filepath.Dir(m.privateServer())
	if err := writeLauncher(tree, home); err != nil {
		return err
	}
	// The tree appears at its place whole or not at all.
	if err := os.RemoveAll(home); err != nil {
		return err
	}
	return os.Rename(tree, home)
}

// download fetches the packages with the machine's own index, and with a fresh
// private one where that is missing or out of date.
func (m *machine) download(ctx context.Context, work string) ([]string, error) {
	debs, err := m.downloadWith(ctx, work, nil)
	if err == nil || ctx.Err() != nil {
		return debs, err
	}
	private, err := privateIndex(work)
	if err != nil {
		return nil, err
	}
	m.tell("reading the package index")
	if _, err := m.command(ctx, m.program("apt-get"), append(private, "update")...); err != nil {
		return nil, err
	}
	return m.downloadWith(ctx, work, private)
}

// privateIndex returns the options that make apt-get keep its index and cache
// below dir, where we may write, while it knows what the machine has installed.
func privateIndex(dir string) ([]string, error) {
	state, cache := filepath.Join(dir, "state"), filepath.Join(dir, "cache")
	for _, d := range []string{filepath.Join(state, "lists", "partial"), filepath.Join(cache, "archives", "partial")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, err
		}
	}
	return []string{
		"-o", "Dir::State=" + state, "-o", "Dir::State::status=/var/lib/dpkg/status", "-o", "Dir::Cache=" + cache,
		"-o", "APT::Update::Post-Invoke::=true", "-o", "Acquire::Retries=2", "-o", "Acquire::http::Timeout=30",
	}, nil
}

func (m *machine) downloadWith(ctx context.Context, work string, options []string) ([]string, error) {
	apt := m.program("apt-get")
	options = append(slices.Clone(options), "-q", "-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=1")
	plan, err := m.command(ctx, apt, append(options, "--simulate", "--no-install-recommends", "install", "redis-server")...)
	if err != nil {
		return nil, err
	}
	names := planned(plan)
	if len(names) == 0 {
		// The package is installed, and yet its server was not usable.
		names = []string{"redis-server", "redis-tools"}
	}
	m.tell("downloading %s", strings.Join(names, ", "))
	script := `cd "$0" && exec "$@"` // apt-get download writes to its working directory
	args := append([]string{"-c", script, work, apt}, append(options, append([]string{"download"}, names...)...)...)
	if _, err := m.command(ctx, "/bin/sh", args...); err != nil {
		return nil, err
	}
	return filepath.Glob(filepath.Join(work, "*.deb"))
}

// planned reads the packages that a simulated installation would add:
// "Inst liblzf1 (3.6-3 Debian:12/stable [amd64])".
func planned(plan string) []string {
	var names []string
	for line := range strings.Lines(plan) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "Inst" {
			names = append(names, f[1])
		}
	}
	return names
}

// writeLauncher writes the script that starts the server of tree once tree has
// moved to home.
func writeLauncher(tree, home string) error {
	server := filepath.Join("usr", "bin", "redis-server")
	if !isProgram(filepath.Join(tree, server)) {
		return errors.New("the package holds no " + server)
	}
	var libraries []string
	err := filepath.WalkDir(tree, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.Contains(filepath.Base(path), ".so.") {
			return err
		}
		rel, err := filepath.Rel(tree, filepath.Dir(path))
		if dir := filepath.Join(home, rel); !slices.Contains(libraries, dir) {
			libraries = append(libraries, dir)
		}
		return err
	})
	if err != nil {
		return err
	}
	script := fmt.Sprintf("#!/bin/sh\nexport LD_LIBRARY_PATH=%s\nexec %s \"$@\"\n",
		quote(strings.Join(libraries, ":")), quote(filepath.Join(home, server)))
	return writeProgram(filepath.Join(tree, "redis-server"), script)
}

// writeProgram writes a script that is about to be run. A process forked
// meanwhile would inherit the open file, and the kernel refuses to run a file
// that is open for writing; hence the lock.
func writeProgram(path, script string) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(path, []byte(script), 0o755)
}

// quote makes s one word of a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
