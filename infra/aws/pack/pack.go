package pack

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Bootstrap is the name under which Lambda looks for a program.
const Bootstrap = "bootstrap"

// Functions are the programs under functions/cmd that become a zip each.
var Functions = []string{"invite", "admin"}

// Architectures are those that Lambda runs. The template runs the first one,
// whose zips have the plain names that it expects.
var Architectures = []string{"arm64", "amd64"}

// Options say what is packed from where.
type Options struct {
	Module  string // directory of the Go module
	Out     string // directory for the zips; made if need be
	Version string // as git describes it
}

// File is the name of a function's zip.
func File(function, arch string) string {
	if arch == Architectures[0] {
		return function + ".zip"
	}
	return function + "-" + arch + ".zip"
}

// Build builds every function for every architecture, packs it, and returns the
// files.
func Build(ctx context.Context, o Options) ([]string, error) {
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	dir, err := os.MkdirTemp("", "lambda")
	if err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	var files []string
	for _, arch := range Architectures {
		for _, function := range Functions {
			program, err := compile(ctx, o, function, arch, filepath.Join(dir, function+"-"+arch))
			if err != nil {
				return files, err
			}
			file := filepath.Join(o.Out, File(function, arch))
			if err := write(file, program); err != nil {
				return files, err
			}
			files = append(files, file)
		}
	}
	return files, nil
}

func compile(ctx context.Context, o Options, function, arch, out string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", "lambda.norpc",
		"-ldflags", "-s -w -X main.version="+o.Version, "-o", out, "./functions/cmd/"+function)
	cmd.Dir = o.Module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("pack: build %s for %s: %w\n%s", function, arch, err, text)
	}
	program, err := os.ReadFile(out)
	if err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	return program, nil
}

func write(file string, program []byte) error {
	packed, err := Zip(program)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, packed, 0o644); err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	return nil
}

// begin is the earliest time that a zip can tell.
var begin = time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC)

// Zip packs a program as Lambda takes it.
func Zip(program []byte) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	header := &zip.FileHeader{Name: Bootstrap, Method: zip.Deflate, Modified: begin}
	header.SetMode(0o755)
	entry, err := w.CreateHeader(header)
	if err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	if _, err := entry.Write(program); err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	return b.Bytes(), nil
}
