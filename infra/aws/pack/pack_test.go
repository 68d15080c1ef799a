package pack

import (
	"archive/zip"
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// entry returns the only file of a zip, which holds that many bytes.
func entry(t *testing.T, packed []byte) (io.Reader, uint64) {
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
	t.Cleanup(func() { _ = r.Close() })
	return r, z.File[0].UncompressedSize64
}

func read(t *testing.T, r io.Reader) []byte {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
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
	out, size := entry(t, first)
	if got := read(t, out); !bytes.Equal(got, program) || size != uint64(len(got)) {
		t.Errorf("%d bytes came out, %d were announced", len(got), size)
	}
}

// TestEveryFunctionIsPackedForBothProcessors runs the command, as make does. The
// race detector would make packing in this process ten times as slow.
func TestEveryFunctionIsPackedForBothProcessors(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds two programs for two processors")
	}
	module, out := filepath.Join("..", "..", ".."), filepath.Join(t.TempDir(), "lambda")
	cmd := exec.CommandContext(t.Context(), "go", "run", "./infra/aws/cmd/pack", "-out", out)
	cmd.Dir = module
	said, err := cmd.Output()
	if err != nil || len(strings.Fields(string(said))) != len(Functions)*len(Architectures) {
		t.Fatalf("made %s, %v", said, err)
	}
	machines := map[string]elf.Machine{"arm64": elf.EM_AARCH64, "amd64": elf.EM_X86_64}
	for _, function := range Functions {
		for _, arch := range Architectures {
			begin := make([]byte, 20)
			program, size := entry(t, zipped(t, out, function, arch))
			if _, err := io.ReadFull(program, begin); err != nil {
				t.Fatal(err)
			}
			machine := elf.Machine(binary.LittleEndian.Uint16(begin[18:]))
			if string(begin[:4]) != elf.ELFMAG || machine != machines[arch] || size < 1<<20 {
				t.Errorf("%s for %s: %d bytes for %v", function, arch, size, machine)
			}
		}
	}
	theSameAgain(t, module, zipped(t, out, Functions[0], Architectures[0]))
}

func zipped(t *testing.T, dir, function, arch string) []byte {
	t.Helper()
	packed, err := os.ReadFile(filepath.Join(dir, File(function, arch)))
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

// theSameAgain builds once more what was packed. Nothing in it may tell of the
// commit: the next one need not change the function.
func theSameAgain(t *testing.T, module string, packed []byte) {
	t.Helper()
	dir := t.TempDir()
	if err := compile(t.Context(), module, Architectures[0], dir); err != nil {
		t.Fatal(err)
	}
	again, err := os.ReadFile(filepath.Join(dir, Functions[0]))
	if err != nil {
		t.Fatal(err)
	}
	first, _ := entry(t, packed)
	if !bytes.Equal(read(t, first), again) {
		t.Error("the same source is another program the second time")
	}
	info, err := buildinfo.Read(bytes.NewReader(again))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range info.Settings {
		if strings.HasPrefix(s.Key, "vcs") {
			t.Errorf("it tells %s=%s", s.Key, s.Value)
		}
	}
}
