package e2e

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestTheLinesThatMakeRunPrintsCanBePasted starts what `make run` starts, on
// its own Redis and on the embedded one, and pastes what it prints.
func TestTheLinesThatMakeRunPrintsCanBePasted(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{"with Redis": nil, "embedded": {"-embedded"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.Symlink(filepath.Dir(bin(t, "dev")), filepath.Join(dir, "bin")); err != nil {
				t.Fatal(err)
			}
			lines := startDev(t, dir, flags...)
			cmd := exec.Command("bash", "-euxc", strings.Join(append(lines,
				"bin/claudemesh send '*' 'is anybody there?'",
				"mesh=$(bin/claudemesh list) && test -n \"$mesh\"",
			), "\n"))
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "HOME="+dir, "CLAUDEMESH_CONFIG_DIR=")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		})
	}
}

// startDev runs bin/dev in dir until the test ends and returns the commands
// that it tells a person to paste.
func startDev(t *testing.T, dir string, flags ...string) []string {
	t.Helper()
	cmd := exec.Command(bin(t, "dev"), append([]string{"-data", filepath.Join(dir, "data"), "-addr", "127.0.0.1:0"}, flags...)...)
	cmd.Dir = dir
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done, printed := make(chan struct{}), make(chan []string, 1)
	go func() {
		_ = cmd.Wait()
		_ = w.Close()
		close(done)
	}()
	go readWelcome(r, printed)
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-done
	})
	select {
	case lines := <-printed:
		return lines
	case <-time.After(patience):
		t.Fatal("nothing to paste was printed")
		return nil
	}
}

func readWelcome(r io.Reader, printed chan<- []string) {
	var lines []string
	scanner, begun := bufio.NewScanner(r), false
	for scanner.Scan() {
		line := strings.TrimSpace(scanner.Text())
		switch {
		case strings.HasPrefix(line, "A first mesh"):
			begun = true
		case strings.HasPrefix(line, "Ctrl-C"):
			printed <- lines
			begun = false
		case begun && line != "":
			lines = append(lines, line)
		}
	}
}
