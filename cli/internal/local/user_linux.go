package local

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

var errOtherUser = errors.New("local: the other end of the socket is another user")

// sameUser asks the kernel who is at the other end.
func sameUser(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return fmt.Errorf("local: %w", err)
	}
	var who *syscall.Ucred
	var asked error
	if err := raw.Control(func(fd uintptr) {
		who, asked = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); err != nil || asked != nil {
		return fmt.Errorf("local: who is there: %w", errors.Join(err, asked))
	}
	if int(who.Uid) != os.Getuid() {
		return errOtherUser
	}
	return nil
}
