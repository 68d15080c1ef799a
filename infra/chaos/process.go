package chaos

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A process is a child with a log of its own.
type process struct {
	name  string
	cmd   *exec.Cmd
	log   string
	ended chan struct{} // closed when it has ended
	err   error         // how; set before ended is closed
}

// endWithin is how long a process may take to end when told.
const endWithin = 60 * time.Second

// startProcess starts a program in a process group of its own, so that a
// Ctrl-C at the terminal reaches only us. What it writes goes to a log in dir.
func startProcess(dir, name string, cmd *exec.Cmd) (*process, error) {
	log, err := os.OpenFile(filepath.Join(dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("chaos: %w", err)
	}
	defer log.Close() // the child has its own descriptor
	if cmd.Stdout == nil {
		cmd.Stdout = log
	}
	cmd.Stderr = log
	cmd.SysProcAttr = ownGroup()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("chaos: start %s: %w", name, err)
	}
	p := &process{name: name, cmd: cmd, log: log.Name(), ended: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// signal sends a signal; a process that has ended ignores it.
func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// kill ends the process at once.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// stop ends the process as an operator does.
func (p *process) stop(within time.Duration) error {
	p.signal(syscall.SIGCONT) // a stopped process takes no signal
	p.signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		if p.diedOf(syscall.SIGTERM) { // so young that it had no handler yet
			return nil
		}
		return p.failure()
	case <-time.After(within):
		p.kill()
		return fmt.Errorf("chaos: %s did not end within %v", p.name, within)
	}
}

func (p *process) diedOf(s syscall.Signal) bool {
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == s
}

// failure tells how an ended process failed, with its last words.
func (p *process) failure() error {
	if p.err == nil {
		return nil
	}
	return fmt.Errorf("chaos: %s: %w\n%s", p.name, p.err, lastWords(p.log))
}

func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

func lastWords(path string) string {
	const most = 600
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > most {
		_, _ = f.Seek(-most, io.SeekEnd)
	}
	b, _ := io.ReadAll(f) // what could be read will do
	return strings.TrimSpace(string(b))
}

// environ is ours without what configures an edge, and with more.
func environ(more ...string) []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "EDGE_") {
			env = append(env, kv)
		}
	}
	return append(env, more...)
}

var errEnded = errors.New("chaos: ended by itself")
