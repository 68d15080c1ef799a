package ui

import (
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	busyAfter = time.Second            // what is quicker needs no word
	busyEvery = 120 * time.Millisecond // between two pictures
)

var busyPictures = []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}

// Busy tells a person on a terminal what takes long, once it has. The caller
// calls stop, which wipes the line.
func (p *Printer) Busy(what string) (stop func()) {
	if !p.talkTerminal || p.JSON {
		return func() {}
	}
	return p.spin(what, busyAfter)
}

func (p *Printer) spin(what string, after time.Duration) (stop func()) {
	ended := make(chan struct{})
	var spinning sync.WaitGroup
	spinning.Go(func() {
		wait := time.NewTimer(after)
		defer wait.Stop()
		for i := 0; ; i++ {
			select {
			case <-ended:
				p.picture("")
				return
			case <-wait.C:
				p.picture(busyPictures[i%len(busyPictures)] + " " + CleanLine(what))
				wait.Reset(busyEvery)
			}
		}
	})
	return sync.OnceFunc(func() {
		close(ended)
		spinning.Wait()
	})
}

// picture replaces the line that tells what takes long.
func (p *Printer) picture(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wipe()
	if line != "" {
		fmt.Fprint(p.err, line)
		p.pictured = true
	}
}

// wipe makes room for other output. The caller holds mu.
func (p *Printer) wipe() {
	if p.pictured {
		fmt.Fprint(p.err, "\r\x1b[K")
		p.pictured = false
	}
}

// TalkTerminal reports whether a person reads what is said.
func (p *Printer) TalkTerminal() bool { return p.talkTerminal }

// Talk is where to write what is neither an answer nor a refusal, such as a
// question.
func (p *Printer) Talk() io.Writer { return talkWriter{p} }

type talkWriter struct{ p *Printer }

func (w talkWriter) Write(b []byte) (int, error) {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	w.p.wipe()
	return w.p.err.Write(b)
}
