//go:build !linux

package bench

import "syscall"

// dieWithParent can do nothing here: children outlive a parent that is killed.
func dieWithParent() *syscall.SysProcAttr { return nil }
