//go:build !unix

package main

import "syscall"

func ownGroup(syscall.Signal) *syscall.SysProcAttr { return nil }
