package commons_test

import (
	"errors"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// edges starts two edges over one Redis.
func edges(t *testing.T, opts ...edgetest.Option) (one, other *edgetest.Edge) {
	t.Helper()
	one = edgetest.Start(t, opts...)
	return one, edgetest.Start(t, append(opts, edgetest.WithRedis(one.Redis))...)
}

// briefLease is how long a lost peer is kept where a test waits for its end. It
// is long enough that peers which are not lost keep theirs on a busy machine.
const briefLease = 5 * time.Second

// ask sends a request and returns the answer to it.
func ask[R wire.Reply](p *edgetest.Peer, m wire.Request) R {
	p.Write(m)
	return edgetest.NextIf(p.Conn, func(r R) bool { return r.InReplyTo() == m.RequestID() })
}

// refusal sends a request and returns the error that answers it.
func refusal(t *testing.T, p *edgetest.Peer, m wire.Request, code wire.Code) *wire.ErrorFrame {
	t.Helper()
	p.Write(m)
	e := edgetest.NextIf(p.Conn, func(e *wire.ErrorFrame) bool { return e.ReqID == m.RequestID() })
	if e.Code != code || e.Message == "" {
		t.Errorf("refused with %s (%q), want %s", e.Code, e.Message, code)
	}
	return e
}

var errNotYet = errors.New("not yet")

// reqID is a fresh request id.
func reqID() wire.ReqID { return wire.ReqID(wire.NewID(wire.ShortID)) }
