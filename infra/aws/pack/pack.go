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
	Module string // directory of the Go module
	Out    string // directory for the zips; made if need be
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
		programs := filepath.Join(dir, arch)
		if err := compile(ctx, o.Module, arch, programs); err != nil {
			return files, err
		}
		for _, function := range Functions {
			file := filepath.Join(o.Out, File(function, arch))
			if err := write(file, filepath.Join(programs, function)); err != nil {
				return files, err
			}
			files = append(files, file)
		}
	}
	return files, nil
}

// compile builds every function into a directory. What git knows, the compiler
// would write into the program, and the next commit made it another one.
func compile(ctx context.Context, module, arch, dir string) error {
	args := []string{"build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", dir + string(filepath.Separator)}
	for _, function := range Functions {
		args = append(args, "./functions/cmd/"+function)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pack: build for %s: %w\n%s", arch, err, text)
	}
	return nil
}

func write(file, from string) error {
	program, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("pack: %w", err)
	}
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
