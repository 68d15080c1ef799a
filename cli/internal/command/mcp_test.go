package command

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/claudemesh/claudemesh/cli/internal/peer"
)

// A model that is told to type something it has no shell for gives up.
func TestAModelIsToldWhatItsToolsCanDo(t *testing.T) {
	t.Parallel()
	for hint, want := range map[string]string{
		"claudemesh peers shows who is here":                                      "list_peers shows who is here",
		"claudemesh send NAME TEXT; claudemesh peers shows who is here":           "list_peers shows who is here",
		"TEXT says what to send; - reads it from stdin":                           "message says what to send",
		"claudemesh outbox --all lists yours; give 8 characters of an id or more": "give the id that send_message returned",
		"say it shorter": "say it shorter",
	} {
		if got := toolHint(hint); got != want {
			t.Errorf("%q becomes %q, want %q", hint, got, want)
		}
	}
	said := make([]string, 0, len(explanations)+len(refusals))
	for _, e := range explanations {
		said = append(said, e.hint)
	}
	for _, e := range refusals {
		said = append(said, e.hint)
	}
	for _, hint := range said {
		got := toolHint(hint)
		if (strings.Contains(got, "claudemesh ") || strings.Contains(got, "--")) && !strings.HasPrefix(got, "for your user: ") {
			t.Errorf("a model is to %q", got)
		}
	}
}

func TestTheWayToABrokerIsNamedWhereItEnds(t *testing.T) {
	t.Parallel()
	at := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 7}
	for want, err := range map[string]error{
		"the broker cannot be reached: host broker.example: no such host": &net.OpError{
			Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "broker.example", Server: "192.0.2.1:53", IsNotFound: true},
		},
		"the broker cannot be reached: 127.0.0.1:7: connection refused": fmt.Errorf("peer: connect: %w",
			&net.OpError{Op: "dial", Net: "tcp", Addr: at, Err: fmt.Errorf("connect: %w", syscall.ECONNREFUSED)}),
		"the broker cannot be reached: too late": fmt.Errorf("%w: %w", peer.ErrUnreachable, errors.New("too late")),
		"connection lost":                        peer.ErrDisconnected,
	} {
		if got := unreachableWords(err); got != want {
			t.Errorf("%v is told as %q, want %q", err, got, want)
		}
	}
}
