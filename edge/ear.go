package edge

import (
	"context"

	"github.com/claudemesh/claudemesh/queue"
)

// earBuffer bounds the entries that wait for one listener.
const earBuffer = 256

// An ear hears a mesh's journal for somebody who has no socket: a program that
// reads a stream of events over HTTP.
type ear struct{ entries chan queue.JournalEntry }

// listen gives the journal of a mesh from now on. The channel is closed when
// the listener is too slow. It must call stop in any case.
func (s *Server) listen(ctx context.Context, mesh string) (entries <-chan queue.JournalEntry, stop func(), err error) {
	f, err := s.hub.open(ctx, mesh)
	if err != nil {
		return nil, nil, err
	}
	e := &ear{make(chan queue.JournalEntry, earBuffer)}
	f.mu.Lock()
	f.ears[e] = struct{}{}
	f.mu.Unlock()
	return e.entries, func() {
		f.mu.Lock()
		delete(f.ears, e)
		f.mu.Unlock()
		s.hub.close(f)
	}, nil
}

// overheardLocked gives an entry to the listeners.
func (f *feed) overheardLocked(entry *queue.JournalEntry) {
	for e := range f.ears {
		select {
		case e.entries <- *entry:
		default:
			close(e.entries)
			delete(f.ears, e)
		}
	}
}

// deafenLocked ends the listening of those whom entries have escaped.
func (f *feed) deafenLocked() {
	for e := range f.ears {
		close(e.entries)
		delete(f.ears, e)
	}
}
