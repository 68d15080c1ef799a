package e2e

import (
	"os"
	"sync/atomic"
	"testing"
)

// built is where the programs are once a test has asked for them.
var built atomic.Pointer[string]

func TestMain(m *testing.M) {
	code := m.Run()
	if dir := built.Load(); dir != nil {
		_ = os.RemoveAll(*dir) // they are large
	}
	os.Exit(code)
}
