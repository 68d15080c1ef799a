package edge

import (
	"bytes"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

func masked(op byte, size int) []byte {
	f := newFrame(op, make([]byte, size))
	header := len(f) - size
	out := append([]byte{}, f[:header]...)
	out[1] |= 0x80
	return append(append(out, 1, 2, 3, 4), f[header:]...)
}

func TestTheGuardCountsWhateverTheChunks(t *testing.T) {
	t.Parallel()
	const limit = 70_000
	for name, c := range map[string]struct {
		stream []byte
		ok     bool
	}{
		"small":                    {masked(opText, 5), true},
		"two bytes of length":      {masked(opText, 126), true},
		"at the limit":             {masked(opText, limit), true},
		"beyond the limit":         {masked(opText, limit+1), false},
		"many":                     {bytes.Repeat(masked(opText, limit/2), 5), true},
		"beyond after many":        {append(bytes.Repeat(masked(opText, 10), 5), masked(opText, limit+1)...), false},
		"control between":          {append(masked(opPing, 125), masked(opText, limit)...), true},
		"a large control frame":    {masked(opPing, 126), false},
		"nine million terabytes":   {[]byte{0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, false},
		"only the first half here": {masked(opText, 100)[:50], true},
	} {
		for _, chunk := range []int{1, 3, 1024, len(c.stream)} {
			g := guard{limit: limit}
			ok := true
			for rest := c.stream; len(rest) > 0 && ok; {
				n := min(chunk, len(rest))
				ok = g.pass(rest[:n])
				rest = rest[n:]
			}
			if ok != c.ok {
				t.Errorf("%s in chunks of %d: passed %v, want %v", name, chunk, ok, c.ok)
			}
		}
	}
}

func TestTheGuardAllocatesNothing(t *testing.T) {
	stream := masked(opText, 60_000)
	g := guard{limit: 1 << 20}
	if n := testing.AllocsPerRun(100, func() { g.pass(stream) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzGuard(f *testing.F) {
	f.Add(masked(opText, 300), uint8(7))
	f.Add([]byte{0x89, 0xfe, 0, 0}, uint8(1))
	f.Fuzz(func(t *testing.T, stream []byte, chunk uint8) {
		whole := guard{limit: 1000}
		want := whole.pass(stream)
		parts := guard{limit: 1000}
		got := true
		for rest := stream; len(rest) > 0 && got; {
			n := min(int(chunk)+1, len(rest))
			got = parts.pass(rest[:n])
			rest = rest[n:]
		}
		if got != want {
			t.Errorf("in parts %v, at once %v", got, want)
		}
	})
}

// TestQ4_TheFirstFramesOfASocketAreWrittenInTimeToo: gws sets a deadline of its
// own for the answer to the upgrade, and takes it away again.
func TestQ4_TheFirstFramesOfASocketAreWrittenInTimeToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		c := &netConn{Conn: near}
		defer c.Close()
		go func() { _, _ = far.Read(make([]byte, 10)) }()
		if err := errors.Join(c.SetDeadline(time.Now().Add(upgradeWithin)), writeTo(c, "upgraded"), c.SetDeadline(time.Time{})); err != nil {
			t.Fatal(err)
		}
		var timeout net.Error
		if err := writeTo(c, "nobody reads this"); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("got %v", err)
		}
	})
}

func writeTo(c net.Conn, text string) error {
	_, err := c.Write([]byte(text))
	return err
}
