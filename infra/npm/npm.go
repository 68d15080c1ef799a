package npm

import (
	"context"
	_ "embed" // of the wrapper
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// Name is the package that people install.
const Name = "claudemesh"

// Platform is one that there is a binary for.
type Platform struct {
	OS, Arch     string // as Node calls them
	GOOS, GOARCH string // as Go does
}

// Platforms are all of them.
var Platforms = []Platform{
	{"linux", "x64", "linux", "amd64"},
	{"linux", "arm64", "linux", "arm64"},
	{"darwin", "x64", "darwin", "amd64"},
	{"darwin", "arm64", "darwin", "arm64"},
}

// Package is the name of the platform's package.
func (p Platform) Package() string { return "@" + Name + "/" + p.OS + "-" + p.Arch }

// Options say what is packed from where.
type Options struct {
	Module    string // directory of the Go module
	Out       string // directory to fill; emptied first
	Version   string // as git describes it
	Platforms []Platform
}

var (
	//go:embed wrapper/claudemesh.js
	wrapper []byte
	//go:embed wrapper/README.md
	readme []byte
)

// manifest is a package.json.
type manifest struct {
	Name        string            `json:"name"`
	Version     string            `json:"version"`
	Description string            `json:"description"`
	License     string            `json:"license"`
	Repository  string            `json:"repository"`
	Bin         map[string]string `json:"bin,omitempty"`
	Files       []string          `json:"files"`
	OS          []string          `json:"os,omitempty"`
	CPU         []string          `json:"cpu,omitempty"`
	Engines     map[string]string `json:"engines,omitempty"`
	Optional    map[string]string `json:"optionalDependencies,omitempty"`
	// PreferUnplugged keeps package managers from leaving the binary in an archive.
	PreferUnplugged bool `json:"preferUnplugged,omitempty"`
}

// Build builds the binaries, packs all packages, and returns the files.
func Build(ctx context.Context, o Options) ([]string, error) {
	version := Semver(o.Version)
	if err := os.RemoveAll(o.Out); err != nil {
		return nil, fmt.Errorf("npm: %w", err)
	}
	license, err := os.ReadFile(filepath.Join(o.Module, "LICENSE"))
	if err != nil {
		return nil, fmt.Errorf("npm: %w", err)
	}
	dirs := []string{filepath.Join(o.Out, Name)}
	if err := writeWrapper(dirs[0], version, license); err != nil {
		return nil, err
	}
	for _, p := range o.Platforms {
		dir := filepath.Join(o.Out, p.OS+"-"+p.Arch)
		dirs = append(dirs, dir)
		if err := writePlatform(dir, p, version, license); err != nil {
			return nil, err
		}
		if err := compile(ctx, o, p, filepath.Join(dir, "bin", Name)); err != nil {
			return nil, err
		}
	}
	return pack(ctx, o.Out, dirs)
}

func writeWrapper(dir, version string, license []byte) error {
	m := common(Name, version)
	m.Bin = map[string]string{Name: "bin/claudemesh.js"}
	m.Files = []string{"bin"}
	m.Engines = map[string]string{"node": ">=18"}
	m.Optional = make(map[string]string)
	for _, p := range Platforms {
		m.Optional[p.Package()] = version
	}
	return errors.Join(
		writeManifest(dir, m),
		write(filepath.Join(dir, "bin", "claudemesh.js"), wrapper, 0o755),
		write(filepath.Join(dir, "README.md"), readme, 0o644),
		write(filepath.Join(dir, "LICENSE"), license, 0o644),
	)
}

func writePlatform(dir string, p Platform, version string, license []byte) error {
	m := common(p.Package(), version)
	m.Description = "The binary of " + Name + " for " + p.OS + " on " + p.Arch + "; install " + Name + " instead"
	m.Files = []string{"bin"}
	m.OS, m.CPU, m.PreferUnplugged = []string{p.OS}, []string{p.Arch}, true
	return errors.Join(writeManifest(dir, m), write(filepath.Join(dir, "LICENSE"), license, 0o644))
}

func common(name, version string) manifest {
	return manifest{
		Name: name, Version: version, License: "MIT", Repository: "github:claudemesh/claudemesh",
		Description: "A mesh of AI coding agents: who is here, and end-to-end encrypted messages between them",
	}
}

func writeManifest(dir string, m manifest) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("npm: %w", err)
	}
	return write(filepath.Join(dir, "package.json"), append(text, '\n'), 0o644)
}

func write(path string, data []byte, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("npm: %w", err)
	}
	if err := os.WriteFile(path, data, mode); err != nil {
		return fmt.Errorf("npm: %w", err)
	}
	return nil
}

func compile(ctx context.Context, o Options, p Platform, out string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w -X main.version="+o.Version,
		"-o", out, "./cli/cmd/claudemesh")
	cmd.Dir = o.Module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+p.GOOS, "GOARCH="+p.GOARCH)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm: build for %s-%s: %w\n%s", p.OS, p.Arch, err, text)
	}
	return nil
}

// pack has npm make the files, since npm will read them.
func pack(ctx context.Context, out string, dirs []string) ([]string, error) {
	var files []string
	for _, dir := range dirs {
		cmd := exec.CommandContext(ctx, "npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", out, dir)
		text, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("npm: pack %s: %w", filepath.Base(dir), err)
		}
		files = append(files, filepath.Join(out, strings.TrimSpace(string(text))))
	}
	return files, nil
}

var released = regexp.MustCompile(`^v?(\d+\.\d+\.\d+)(-[0-9A-Za-z.-]+)?$`)

// Semver returns a version as npm wants it. What is not built from a tag is
// older than any release.
func Semver(described string) string {
	if m := released.FindStringSubmatch(described); m != nil {
		return m[1] + m[2]
	}
	rest := strings.Map(func(r rune) rune {
		if strings.ContainsRune("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-", r) {
			return r
		}
		return '-'
	}, described)
	return "0.0.0-g" + rest // a letter first: digits alone must not begin with 0
}
