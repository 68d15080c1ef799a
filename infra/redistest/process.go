package redistest

import (
	"bytes"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is one redis-server.
type process struct {
	cmd    *exec.Cmd
	done   chan struct{} // closed when it has ended
	output bytes.Buffer  // written by it until done
}

// begin starts a server with the given configuration.
func begin(tb testing.TB, conf string) *process {
	tb.Helper()
	p := &process{cmd: exec.Command(serverPath(tb), "-"), done: make(chan struct{})}
	p.cmd.Stdin = strings.NewReader(conf)
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	p.cmd.SysProcAttr = dieWithParent()
	if err := p.cmd.Start(); err != nil {
		tb.Fatalf("redistest: start: %v", err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	return p
}

// end stops the process and returns when it is gone.
func (p *process) end(sig syscall.Signal) {
	if p.ended() {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGCONT) // a paused process takes no signal
	_ = p.cmd.Process.Signal(sig)
	select {
	case <-p.done:
	case <-time.After(stopWithin):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *process) signal(tb testing.TB, sig syscall.Signal) {
	tb.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		tb.Fatalf("redistest: %v: %v", sig, err)
	}
}
