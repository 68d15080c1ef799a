package command

import (
	"errors"
	"fmt"
	"net"
)

// unreachableWords say where the way to the broker ends, without the steps on
// which the error came to us.
func unreachableWords(err error) string {
	var step *net.OpError
	if !errors.As(err, &step) || step.Addr == nil {
		return "the " + plainWords(err)
	}
	return fmt.Sprintf("the broker cannot be reached: %s: %v", step.Addr, plainErrno(step.Err))
}
