//go:build unix

package main

import (
	"errors"
	"os"
	"syscall"
)

// lock takes the lock of a file, unless another has it. It lasts until the last
// process that inherited the file has closed it.
func lock(f *os.File) (held bool, err error) {
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}
