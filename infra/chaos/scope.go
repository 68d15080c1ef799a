package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
)

// A scope stands in for a test where there is none, so that the servers of
// redistest also run outside of tests. It has what redistest uses.
type scope struct {
	testing.TB // nil: what is not overridden is not used
	ctx        context.Context
	cleanups   []func()
}

// scopeError is what a failure inside a scope is thrown as.
type scopeError struct{ error }

func newScope(ctx context.Context) *scope { return &scope{ctx: ctx} }

func (s *scope) Helper() {}

func (s *scope) Context() context.Context { return s.ctx }

func (s *scope) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

func (s *scope) TempDir() string {
	dir, err := os.MkdirTemp("", "chaos")
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (s *scope) Fatal(args ...any) { panic(scopeError{errors.New(fmt.Sprint(args...))}) }

func (s *scope) Fatalf(format string, args ...any) { panic(scopeError{fmt.Errorf(format, args...)}) }

func (s *scope) Logf(string, ...any) {}

func (s *scope) Log(...any) {}

// recover turns a failure back into an error. It is deferred.
func (s *scope) recover(err *error) {
	switch p := recover().(type) {
	case nil:
	case scopeError:
		*err = errors.Join(fmt.Errorf("chaos: %w", p.error), s.close())
	default:
		panic(p)
	}
}

// close cleans up as the end of a test does.
func (s *scope) close() error {
	for _, f := range slices.Backward(s.cleanups) {
		f()
	}
	s.cleanups = nil
	return nil
}
