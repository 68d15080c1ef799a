package pack

import (
	"archive/zip"
	"bytes"
	"debug/elf"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// unpack returns the only file of a zip.
func unpack(t *testing.T, packed []byte) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	if len(z.File) != 1 || z.File[0].Name != Bootstrap || z.File[0].Mode().Perm() != 0o755 {
		t.Fatalf("holds %+v, want one executable bootstrap", z.File)
	}
	r, err := z.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	program, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

func TestAZipHoldsTheProgramAndNothingOfWhoPackedIt(t *testing.T) {
	t.Parallel()
	program := bytes.Repeat([]byte("program"), 1000)
	first, err := Zip(program)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Zip(program)
	if err != nil || !bytes.Equal(first, again) {
		t.Errorf("packed twice it differs, %v", err)
	}
	if got := unpack(t, first); !bytes.Equal(got, program) {
		t.Errorf("%d bytes came out", len(got))
	}
}

func TestEveryFunctionIsPackedForBothProcessors(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds two programs for two processors")
	}
	o := Options{Module: filepath.Join("..", "..", ".."), Out: filepath.Join(t.TempDir(), "lambda"), Version: "test"}
	files, err := Build(t.Context(), o)
	if err != nil || len(files) != len(Functions)*len(Architectures) {
		t.Fatalf("made %v, %v", files, err)
	}
	machines := map[string]elf.Machine{"arm64": elf.EM_AARCH64, "amd64": elf.EM_X86_64}
	for _, function := range Functions {
		for _, arch := range Architectures {
			packed, err := os.ReadFile(filepath.Join(o.Out, File(function, arch)))
			if err != nil {
				t.Fatal(err)
			}
			program, err := elf.NewFile(bytes.NewReader(unpack(t, packed)))
			if err != nil || program.Machine != machines[arch] {
				t.Errorf("%s for %s: %v", function, arch, err)
			}
		}
	}
	first, err := compile(t.Context(), o, Functions[0], Architectures[0], filepath.Join(t.TempDir(), "first"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := compile(t.Context(), o, Functions[0], Architectures[0], filepath.Join(t.TempDir(), "again"))
	if err != nil || !bytes.Equal(first, again) {
		t.Errorf("the same source is another program the second time, %v", err)
	}
}
