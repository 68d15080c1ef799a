package ui

import "fmt"

// Exit codes.
const (
	ExitOK        = 0
	ExitFailed    = 1
	ExitUsage     = 2
	ExitNotMember = 3 // no mesh joined, or not admitted to it
	ExitAway      = 4 // nobody there to take it, or no room left for it
	ExitKept      = 5 // not sent yet: it waits in the outbox
)

// Failure is a refusal: what went wrong, what to do instead, and what the shell
// is told.
type Failure struct {
	Message string
	Hint    string
	Code    int
	Cause   error
}

// Failf makes a failure with code [ExitFailed].
func Failf(format string, args ...any) *Failure {
	return &Failure{Message: fmt.Sprintf(format, args...), Code: ExitFailed}
}

// Usagef makes a failure with code [ExitUsage].
func Usagef(format string, args ...any) *Failure {
	return &Failure{Message: fmt.Sprintf(format, args...), Code: ExitUsage}
}

// Hinted adds what to do instead.
func (f *Failure) Hinted(format string, args ...any) *Failure {
	f.Hint = fmt.Sprintf(format, args...)
	return f
}

// Coded sets the exit code.
func (f *Failure) Coded(code int) *Failure {
	f.Code = code
	return f
}

// Error returns the message.
func (f *Failure) Error() string { return f.Message }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Cause }
