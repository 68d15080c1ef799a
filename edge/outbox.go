package edge

import (
	"encoding/binary"
	"errors"
	"net"
	"sync"
)

const (
	// maxOutboxFrames and maxOutboxBytes bound what waits for one socket.
	// Whatever does not fit is in Redis, so the socket is closed instead. The
	// last frame may go beyond, because a list alone can be larger, and who asks
	// for one is not slow.
	maxOutboxFrames = 1024
	maxOutboxBytes  = 2 << 20

	// roomBytes and roomFrames are the share of the outbox that catching up
	// may fill; the rest is for live frames and answers.
	roomBytes  = maxOutboxBytes / 4
	roomFrames = maxOutboxFrames / 4

	// batchBytes is about how much one system call writes.
	batchBytes = 64 << 10
)

var (
	errSlow   = errors.New("edge: outbox full")
	errClosed = errors.New("edge: socket closing")
)

// A frame is a whole WebSocket frame, header included. It is never changed, so
// that one frame can be in many outboxes.
type frame []byte

const (
	opText  = 0x1
	opClose = 0x8
	opPing  = 0x9
	opPong  = 0xa
)

// textFrame wraps one JSON object.
func textFrame(payload []byte) frame { return newFrame(opText, payload) }

func newFrame(op byte, payload []byte) frame {
	f := make(frame, 0, 10+len(payload))
	f = append(f, 0x80|op)
	switch n := len(payload); {
	case n < 126:
		f = append(f, byte(n))
	case n < 1<<16:
		f = append(f, 126)
		f = binary.BigEndian.AppendUint16(f, uint16(n))
	default:
		f = append(f, 127)
		f = binary.BigEndian.AppendUint64(f, uint64(n))
	}
	return append(f, payload...)
}

func closeFrame(code uint16, reason string) frame {
	p := binary.BigEndian.AppendUint16(nil, code)
	return newFrame(opClose, append(p, reason[:min(len(reason), 120)]...))
}

// An outbox is the only way to write to a socket. It is bounded, because the
// queue behind gws's asynchronous writes is not: one stalled reader would hold
// every frame sent to it in memory. Its writer is a goroutine that exists only
// while something waits.
type outbox struct {
	nc      *netConn
	spawn   func(func()) // runs the writer under the server's wait group
	failed  func(error)  // called when the network takes no more; not under mu
	hasRoom func()       // called when room() turns true again; not under mu

	mu       sync.Mutex
	queue    []frame
	bytes    int   // in queue and in the batch that is being written
	flying   int   // frames in the batch that is being written
	writing  bool  // a writer exists
	wanted   bool  // somebody was told that there is no room
	ending   frame // the close frame; nothing is taken behind it
	finished bool
}

// put queues a frame without waiting. [errSlow] means that the reader is too
// slow and the caller must close the socket.
func (o *outbox) put(f frame) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ending != nil || o.finished {
		return errClosed
	}
	if len(o.queue)+o.flying >= maxOutboxFrames || o.bytes >= maxOutboxBytes {
		return errSlow
	}
	o.queue = append(o.queue, f)
	o.bytes += len(f)
	o.startLocked()
	return nil
}

// room reports whether catching up may continue; if not, hasRoom is called
// once it may.
func (o *outbox) room() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.bytes < roomBytes && len(o.queue)+o.flying < roomFrames {
		return true
	}
	o.wanted = true
	return false
}

// end writes the close frame as soon as the batch under way is written, or,
// with flush, behind everything that waits. The first call wins.
func (o *outbox) end(f frame, flush bool) (first bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ending != nil || o.finished {
		return false
	}
	o.ending = f
	if !flush {
		for _, dropped := range o.queue {
			o.bytes -= len(dropped)
		}
		o.queue = nil
	}
	o.startLocked()
	return true
}

// stop forgets what waits: the socket is gone.
func (o *outbox) stop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.finished, o.queue = true, nil
}

func (o *outbox) startLocked() {
	if !o.writing {
		o.writing = true
		o.spawn(o.write)
	}
}

// write empties the outbox.
func (o *outbox) write() {
	for {
		batch, ending := o.take()
		switch {
		case len(batch) > 0:
			size := 0
			for _, f := range batch {
				size += len(f)
			}
			err := o.nc.writeFrames(batch)
			if o.written(size); err != nil {
				o.stop()
				o.failed(err)
			}
		case ending != nil:
			o.nc.finish(ending)
			return
		default:
			return
		}
	}
}

// take gives the next batch. Without one it gives the close frame, if there is
// any, and ends the writer.
func (o *outbox) take() (net.Buffers, frame) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) == 0 || o.finished {
		o.writing, o.queue = false, nil
		if o.finished {
			return nil, nil
		}
		o.finished = o.ending != nil
		return nil, o.ending
	}
	n, size := 0, 0
	for n < len(o.queue) && (n == 0 || size+len(o.queue[n]) <= batchBytes) {
		size += len(o.queue[n])
		n++
	}
	batch := make(net.Buffers, n)
	for i, f := range o.queue[:n] {
		batch[i] = f
		o.queue[i] = nil
	}
	o.queue, o.flying = o.queue[n:], n
	return batch, nil
}

// written accounts for a batch and tells whoever waits for room.
func (o *outbox) written(size int) {
	o.mu.Lock()
	o.bytes -= size
	o.flying = 0
	tell := o.wanted && o.bytes < roomBytes/2 && len(o.queue) < roomFrames/2
	if tell {
		o.wanted = false
	}
	o.mu.Unlock()
	if tell {
		o.hasRoom()
	}
}
