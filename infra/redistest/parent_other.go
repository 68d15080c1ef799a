//go:build !linux

package redistest

import "syscall"

// dieWithParent has no equivalent outside Linux; Cleanup ends the server.
func dieWithParent() *syscall.SysProcAttr { return nil }
