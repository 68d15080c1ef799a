package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

// A child is a process that this one started and waits for.
type child struct {
	name string
	cmd  *exec.Cmd

	ended chan struct{} // closed when the process has ended
	err   error         // how; set before ended is closed
}

// start starts cmd in a process group of its own, so that a Ctrl-C at the
// terminal reaches only us and the order of stopping stays ours. Where the
// system can, it sends the child orphaned should this process die.
func start(name string, cmd *exec.Cmd, orphaned syscall.Signal) (*child, error) {
	cmd.SysProcAttr = ownGroup(orphaned)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	c := &child{name: name, cmd: cmd, ended: make(chan struct{})}
	go func() {
		c.err = cmd.Wait()
		close(c.ended)
	}()
	return c, nil
}

// exit tells how an ended child ended; a process that nobody told to end has
// failed even if its status is 0.
func (c *child) exit() error {
	<-c.ended
	if c.err == nil {
		return errors.New("exit status 0")
	}
	return c.err
}

// stop tells the child to end and waits for it, but no longer than patience
// and only until hurry is done; then it is killed. Stopping an ended child
// does nothing.
func (c *child) stop(hurry context.Context, patience time.Duration) error {
	select {
	case <-c.ended:
		return nil // supervise has reported it
	default:
	}
	_ = c.cmd.Process.Signal(syscall.SIGTERM) // fails only if it has just ended
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-c.ended:
		if c.err != nil {
			return fmt.Errorf("stop %s: %w", c.name, c.err)
		}
		return nil
	case <-late.C:
		return c.kill(fmt.Sprintf("it did not end within %s", patience))
	case <-hurry.Done():
		return c.kill("told to hurry")
	}
}

func (c *child) kill(why string) error {
	_ = c.cmd.Process.Kill()
	<-c.ended
	return fmt.Errorf("killed %s: %s", c.name, why)
}
