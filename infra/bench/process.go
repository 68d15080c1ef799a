package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	startWithin = 30 * time.Second
	endWithin   = 20 * time.Second
	poll        = 5 * time.Millisecond
)

// A process is a child whose use of the machine is measured.
type process struct {
	cmd   *exec.Cmd
	log   string
	ended chan struct{}
}

// start starts a program. What it writes goes to a file of its own.
func (b *bench) start(cmd *exec.Cmd) (*process, error) {
	name := filepath.Base(cmd.Path)
	log, err := os.CreateTemp(b.dir, name+"*.log")
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	defer log.Close() // the child has its own descriptor
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = dieWithParent()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("bench: start %s: %w", name, err)
	}
	p := &process{cmd: cmd, log: log.Name(), ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ends is of no interest
		close(p.ended)
	}()
	return p, nil
}

// ready waits until something answers at addr.
func (p *process) ready(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	return until(ctx, func() error {
		select {
		case <-p.ended:
			text, _ := os.ReadFile(p.log)
			return fmt.Errorf("%w: %s ended at once: %s", errNever, p.cmd.Path, text)
		default:
		}
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			_ = c.Close()
		}
		return err
	})
}

// errNever says that waiting does not help.
var errNever = errors.New("bench: in vain")

// until calls check until it returns nil or wraps errNever.
func until(ctx context.Context, check func() error) error {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		err := check()
		if err == nil || errors.Is(err, errNever) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("bench: %w: %w", context.Cause(ctx), err)
		}
	}
}

// pause returns after d.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// stop ends the process and returns when it is gone.
func (p *process) stop(sig syscall.Signal) {
	_ = p.cmd.Process.Signal(sig)
	select {
	case <-p.ended:
	case <-time.After(endWithin):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// cpu is the processor time that the process has used, in microseconds. It is
// summed over its threads, because their counters are exact and that of the
// process has steps of 10 ms.
func (p *process) cpu() (float64, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.cmd.Process.Pid))
	if err == nil && len(tasks) == 0 {
		err = errors.New("no such process, or no Linux")
	}
	if err != nil {
		return 0, fmt.Errorf("bench: processor time: %w", err)
	}
	sum := 0.0
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if errors.Is(err, os.ErrNotExist) {
			continue // the thread has just ended
		}
		ran, _, _ := strings.Cut(string(text), " ")
		ns, wrong := strconv.ParseFloat(ran, 64)
		if err = errors.Join(err, wrong); err != nil {
			return 0, fmt.Errorf("bench: processor time: %w", err)
		}
		sum += ns / 1000
	}
	return sum, nil
}

// memory is what the process holds that no file backs, in bytes.
func (p *process) memory() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("bench: memory: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb * 1024, err
		}
	}
	return 0, errors.New("bench: memory: the kernel does not tell")
}

// freeAddr is an address of this machine that nobody listens to just now.
func freeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("bench: %w", err)
	}
	return ln.Addr().String(), ln.Close()
}
