package command

import (
	"errors"
	"fmt"
	"net"

	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
)

// unreachableWords say where the way to the broker ends, without the steps on
// which the error came to us.
func unreachableWords(err error) string {
	var name *net.DNSError
	var step *net.OpError
	switch {
	case errors.As(err, &name):
		return fmt.Sprintf("the broker cannot be reached: host %s: %s", name.Name, name.Err)
	case errors.As(err, &step) && step.Addr != nil:
		return fmt.Sprintf("the broker cannot be reached: %s: %v", step.Addr, plainErrno(step.Err))
	case errors.Is(err, peer.ErrUnreachable):
		return "the " + plainWords(err)
	}
	return plainWords(err)
}

func unreachableFailure(err error) *ui.Failure {
	return ui.Failf("%s", unreachableWords(err)).Hinted("is the broker running, and its address right? claudemesh list shows it")
}

// awayError is what was not done because there is no connection.
type awayError struct{ reason, err error }

// Error tells the reason; that it took long says less.
func (e *awayError) Error() string { return e.reason.Error() }

// Unwrap implements the interface of package errors.
func (e *awayError) Unwrap() []error { return []error{e.reason, e.err} }

// explainAway words why there is no connection. A broker that refuses one has
// words of its own.
func explainAway(err error) *ui.Failure {
	var away *awayError
	var refused *peer.RefusedError
	if !errors.As(err, &away) || errors.As(away.reason, &refused) {
		return nil
	}
	return unreachableFailure(away.reason)
}
