package edge

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// box of tests: an outbox on one end of a pipe.
func newTestOutbox(t *testing.T) (o *outbox, far net.Conn, failed func() error) {
	t.Helper()
	near, far := net.Pipe()
	var mu sync.Mutex
	var failure error
	o = &outbox{
		nc: &netConn{Conn: near}, spawn: func(f func()) { go f() }, hasRoom: func() {},
		failed: func(err error) {
			mu.Lock()
			defer mu.Unlock()
			failure = err
		},
	}
	t.Cleanup(func() {
		_ = near.Close()
		_ = far.Close()
	})
	return o, far, func() error {
		mu.Lock()
		defer mu.Unlock()
		return failure
	}
}

func TestAnOutboxRefusesRatherThanGrows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, _, _ := newTestOutbox(t)
		f := textFrame(make([]byte, 1000))
		n := 0
		for ; o.put(f) == nil; n++ {
		}
		if n != maxOutboxFrames {
			t.Errorf("took %d frames of %d bytes", n, len(f))
		}
		o, _, _ = newTestOutbox(t)
		f = textFrame(make([]byte, maxOutboxBytes/4))
		for n = 0; o.put(f) == nil; n++ {
		}
		if n != 4 { // with their headers they are more than a whole
			t.Errorf("took %d frames of a quarter each", n)
		}
		o, _, _ = newTestOutbox(t)
		large := textFrame(make([]byte, maxOutboxBytes+1))
		if err := errors.Join(o.put(f), o.put(large)); err != nil {
			t.Errorf("a list does not go: %v", err)
		}
		if err := o.put(f); !errors.Is(err, errSlow) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAStalledWriteFailsInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, _, failed := newTestOutbox(t)
		if err := o.put(textFrame([]byte("x"))); err != nil {
			t.Fatal(err)
		}
		<-time.After(writeWithin - time.Second)
		synctest.Wait()
		if failed() != nil {
			t.Error("gave up too early")
		}
		<-time.After(2 * time.Second)
		synctest.Wait()
		var timeout net.Error
		if err := failed(); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("got %v", err)
		}
		if err := o.put(textFrame([]byte("y"))); !errors.Is(err, errClosed) {
			t.Errorf("after the failure: %v", err)
		}
	})
}

func TestACloseGoesAheadOfWhatWaitsOrBehindIt(t *testing.T) {
	t.Parallel()
	for _, flush := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			o, far, _ := newTestOutbox(t)
			const frames = 100 // more than one batch
			for range frames {
				if err := o.put(textFrame(make([]byte, 2000))); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait() // the first batch is being written
			if !o.end(closeFrame(1000, "bye"), flush) || o.end(closeFrame(1001, "later"), flush) {
				t.Error("the first close does not win")
			}
			b, err := io.ReadAll(far)
			if err != nil {
				t.Fatal(err)
			}
			tail := closeFrame(1000, "bye")
			if string(b[len(b)-len(tail):]) != string(tail) {
				t.Error("the close is not last")
			}
			if whole := len(b) == frames*len(textFrame(make([]byte, 2000)))+len(tail); whole != flush {
				t.Errorf("flush %v: %d bytes", flush, len(b))
			}
			if err := o.put(textFrame(nil)); !errors.Is(err, errClosed) {
				t.Errorf("after the close: %v", err)
			}
		})
	}
}

func TestWhoWaitsForRoomIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, far, _ := newTestOutbox(t)
		told := make(chan struct{}, 1)
		o.hasRoom = func() { told <- struct{}{} }
		for o.room() {
			if err := o.put(textFrame(make([]byte, 4000))); err != nil {
				t.Fatal(err)
			}
		}
		go func() { _, _ = io.Copy(io.Discard, far) }()
		<-told
		if !o.room() {
			t.Error("told too early")
		}
	})
}

func TestASlowReaderIsCountedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		k := &socket{server: &Server{metrics: newMetrics()}, nc: &netConn{Conn: near}}
		k.out.nc, k.out.spawn, k.out.failed = k.nc, func(f func()) { go f() }, k.writeFailed
		for !k.ended() {
			k.put(textFrame(make([]byte, maxOutboxBytes/4)))
		}
		<-time.After(writeWithin + time.Second) // what is stuck is given up
		synctest.Wait()
		if _, err := near.Write(nil); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("the connection is still there: %v", err)
		}
		text := httptest.NewRecorder()
		k.server.metricsHandler().ServeHTTP(text, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		if want := `edge_bound_hits_total{bound="outbox"} 1`; !strings.Contains(text.Body.String(), want+"\n") {
			t.Errorf("not %s in:\n%s", want, text.Body)
		}
	})
}
