//go:build unix && !linux

package main

import "syscall"

// ownGroup cannot tie the child's life to ours here; only Linux can.
func ownGroup(syscall.Signal) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
