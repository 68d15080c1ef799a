package redistest

import "syscall"

// dieWithParent makes the kernel end the server when the process that runs it
// dies without cleaning up. Ctrl-C at a terminal is for that process alone, which
// may need the server to end in order.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
