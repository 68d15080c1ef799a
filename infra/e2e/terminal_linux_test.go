package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"github.com/claudemesh/claudemesh/infra/redistest"
)

// A pty is a command that runs in a terminal of its own, and what that shows.
type pty struct {
	tb     testing.TB
	master *os.File
	cmd    *exec.Cmd
	ended  <-chan struct{}

	mu    sync.Mutex
	shown strings.Builder
}

// inTerminal starts a command of the user in a terminal of that size.
func (u *user) inTerminal(t *testing.T, columns, rows uint16, args ...string) *pty {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := &pty{tb: t, master: master, cmd: u.command(args...)}
	var unlock, number int32
	p.ioctl(syscall.TIOCSPTLCK, unsafe.Pointer(&unlock))
	p.ioctl(syscall.TIOCGPTN, unsafe.Pointer(&number))
	p.resize(columns, rows)
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = slave, slave, slave
	p.cmd.Env = append(p.cmd.Env, "TERM=xterm-256color")
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	p.ended = startCommand(t, p.cmd)
	read := make(chan struct{})
	go p.read(read)
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		_ = master.Close()
		<-read
	})
	return p
}

func (p *pty) ioctl(request uintptr, arg unsafe.Pointer) {
	p.tb.Helper()
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, p.master.Fd(), request, uintptr(arg)); errno != 0 {
		p.tb.Fatal(errno)
	}
}

func (p *pty) resize(columns, rows uint16) {
	p.tb.Helper()
	size := [4]uint16{rows, columns}
	p.ioctl(syscall.TIOCSWINSZ, unsafe.Pointer(&size))
}

func (p *pty) read(done chan<- struct{}) {
	defer close(done)
	buffer := make([]byte, 4096)
	for {
		n, err := p.master.Read(buffer)
		p.mu.Lock()
		p.shown.Write(buffer[:n])
		p.mu.Unlock()
		if err != nil {
			return // the last process has closed the terminal
		}
	}
}

func (p *pty) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shown.String()
}

// expect waits until the terminal has shown a text.
func (p *pty) expect(want string) {
	p.tb.Helper()
	eventually(p.tb, func() error {
		if text := p.text(); !strings.Contains(text, want) {
			return fmt.Errorf("the terminal does not show %q: %q", want, text)
		}
		return nil
	})
}

func (p *pty) enter(text string) {
	p.tb.Helper()
	if _, err := p.master.WriteString(text); err != nil {
		p.tb.Fatal(err)
	}
}

// exits waits for the end, and compares the exit code.
func (p *pty) exits(code int) {
	p.tb.Helper()
	<-p.ended
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		p.tb.Errorf("%v exits with %d, want %d: %q", p.cmd.Args[1:], got, code, p.text())
	}
}

func TestTopWatchesLiveAndLeavesTheTerminalAsItWas(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t, startEdge(t, redistest.Start(t)).wsURL())
	there := bob.listen("--group", "backend")
	bob.run("send", "alice", "waits for alice")
	for _, quit := range []string{"q", "\x03"} {
		top := alice.inTerminal(t, 80, 24, "top")
		top.expect("lease 90s") // connected; the word may be painted over "connecting", in part
		top.expect("@backend")
		top.resize(200, 50)
		top.expect(alice.broker) // which only a wide line has room for
		bob.run("send", "*", "to everybody, quit "+fmt.Sprintf("%x", quit))
		top.expect("to everybody, quit " + fmt.Sprintf("%x", quit))
		if strings.Contains(top.text(), "\x1b[32m") {
			t.Error("colours in spite of NO_COLOR")
		}
		top.enter(quit)
		top.exits(0)
		eventually(t, func() error { // the last bytes may still be on their way
			if text := top.text(); strings.LastIndex(text, "\x1b[?1049l") < strings.LastIndex(text, "\x1b[?1049h") {
				return errors.New("the terminal is left in the other screen")
			}
			return nil
		})
	}
	if got := alice.inbox(); len(got) == 0 || got[0]["text"] != "waits for alice" {
		t.Errorf("watching took what waits: the inbox has %v", got)
	}
	for _, event := range there.drained() {
		if event["event"] == "peer_joined" || event["event"] == "peer_left" {
			t.Errorf("watching was seen: %v", event)
		}
	}
}

func TestAPassphraseIsAskedForTwiceAndNotShown(t *testing.T) {
	t.Parallel()
	alice, _ := pair(t, startEdge(t, redistest.Start(t)).wsURL())
	const secret = "correct horse battery"
	backup := alice.inTerminal(t, 80, 24, "backup", "keys.cmb")
	backup.expect("at least 12 characters: ")
	backup.enter(secret + "\n")
	backup.expect("the same again: ")
	backup.enter(secret + "\n")
	backup.exits(0)
	if strings.Contains(backup.text(), secret) {
		t.Error("the passphrase is on the screen")
	}
	if info, err := os.Stat(filepath.Join(alice.cwd, "keys.cmb")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	before := meshEntries(t, alice)
	leave := alice.inTerminal(t, 80, 24, "leave")
	leave.expect("type demo to leave it: ")
	leave.enter("yes\n")
	leave.exits(1)
	leave = alice.inTerminal(t, 80, 24, "leave")
	leave.expect("type demo to leave it: ")
	leave.enter("demo\n")
	leave.exits(0)
	restore := alice.inTerminal(t, 80, 24, "restore", "keys.cmb")
	restore.expect("at least 12 characters: ")
	restore.enter(secret + "\n")
	restore.exits(0)
	if after := meshEntries(t, alice); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("restored %v, want %v", after, before)
	}
	alice.run("peers")

	short := alice.inTerminal(t, 80, 24, "backup", "other.cmb")
	short.expect("at least 12 characters: ")
	short.enter("too short\n") // and is not asked for again
	short.exits(2)

	interrupted := alice.inTerminal(t, 80, 24, "backup", "other.cmb")
	interrupted.expect("at least 12 characters: ")
	interrupted.enter("\x03")
	interrupted.exits(1)
}

func TestASafetyNumberIsACodeToScanOnATerminal(t *testing.T) {
	t.Parallel()
	alice, _ := pair(t, startEdge(t, redistest.Start(t)).wsURL())
	number, _ := dig(t, alice.json("verify"), "peers", 0, "safetyNumber").(string)
	card := alice.inTerminal(t, 80, 30, "verify", "bob")
	card.expect(number)
	card.expect("▀")
	card.expect("bob sees the same digits")
	card.exits(0)
}
