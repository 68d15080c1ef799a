package bench

import "syscall"

// dieWithParent makes the kernel end a child when this process dies without
// cleaning up.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
