package e2e

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestAnEdgeToldToStopWhileItConnectsEndsWell holds what an orchestrator that
// scales in during a start relies on: nobody was served yet, so nothing has
// failed, and the exit status says so.
func TestAnEdgeToldToStopWhileItConnectsEndsWell(t *testing.T) {
	t.Parallel()
	mute, err := net.Listen("tcp", "127.0.0.1:0") // a Redis that never answers
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()

	var said strings.Builder
	cmd := exec.Command(bin(t, "edge"))
	cmd.Env = append(os.Environ(), "EDGE_ADDR=127.0.0.1:0", "EDGE_REDIS_URL=redis://"+mute.Addr().String())
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer late.Stop()

	if err := mute.(*net.TCPListener).SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	conn, err := mute.Accept() // the edge is connecting, and hears signals
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the edge ended with %v:\n%s", err, &said)
	}
}
