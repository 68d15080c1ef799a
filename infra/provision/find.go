package provision

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// minMajor is the oldest major version that knows script flags, on which our
// scripts rely when memory is short. Valkey starts above it.
const minMajor = 7

// askWithin bounds a server's answer to --version.
const askWithin = 10 * time.Second

var (
	serverNames = []string{"redis-server", "valkey-server"}

	// usualDirs are where servers and package managers live that a user's PATH,
	// or that of a CI runner, often lacks.
	usualDirs = []string{
		"/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin",
		"/opt/homebrew/bin", "/home/linuxbrew/.linuxbrew/bin",
	}

	versionPattern = regexp.MustCompile(`\bv=(\d+)\.`)
)

func (m *machine) find(ctx context.Context) (string, error) {
	if m.override != "" {
		if err := usable(ctx, m.override); err != nil {
			return "", fmt.Errorf("%w: %s names %s: %w", ErrNone, Override, m.override, err)
		}
		return m.override, nil
	}
	refused := []error{ErrNone}
	for _, path := range m.candidates() {
		err := usable(ctx, path)
		if err == nil {
			return path, nil
		}
		refused = append(refused, fmt.Errorf("%s: %w", path, err))
	}
	return "", errors.Join(refused...)
}

// candidates lists the servers that exist, the machine's own before our copy.
func (m *machine) candidates() []string {
	var found []string
	for _, name := range serverNames {
		if path := m.program(name); path != "" {
			found = append(found, path)
		}
	}
	if path := m.privateServer(); m.cache != "" && isProgram(path) {
		found = append(found, path)
	}
	return found
}

// program returns the path of an installed program, or "".
func (m *machine) program(name string) string {
	for _, dir := range m.dirs {
		if path := filepath.Join(dir, name); filepath.IsAbs(dir) && isProgram(path) {
			return path
		}
	}
	return ""
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

// usable runs the server for its version: a copy that lacks a library or was
// built for another machine is found out here rather than at its start.
func usable(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").CombinedOutput()
	if err != nil {
		return fmt.Errorf("does not run: %w", err)
	}
	match := versionPattern.FindSubmatch(out)
	if match == nil {
		return fmt.Errorf("tells no version: %q", firstLine(out))
	}
	if major, err := strconv.Atoi(string(match[1])); err != nil || major < minMajor {
		return fmt.Errorf("too old, %d is needed: %q", minMajor, firstLine(out))
	}
	return nil
}
