package redistest

import (
	"errors"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, LastDials()) }

// TestANodeOfAnotherClusterIsNotTakenForOnesOwn has the other one be quicker to
// listen where a node of ours was to: it has as many nodes, and is well.
func TestANodeOfAnotherClusterIsNotTakenForOnesOwn(t *testing.T) {
	t.Parallel()
	quicker := StartCluster(t, 3, 0)
	c := &Cluster{tb: t, host: quicker.host, masters: 3, nodes: newNodes(t, quicker.host, 3)}
	t.Cleanup(c.stop)
	taken := quicker.nodes[1]
	_ = c.nodes[1].rdb.Close()
	c.nodes[1].port, c.nodes[1].rdb = taken.port, direct(taken.addr())
	if err := c.launch(); !errors.Is(err, errPorts) {
		t.Fatalf("got %v; want %v", err, errPorts)
	}
}

// TestAServerIsInAProcessGroupOfItsOwn holds that Ctrl-C at a terminal is a word
// to the program that runs it, which ends the server when it has no more need
// of it.
func TestAServerIsInAProcessGroupOfItsOwn(t *testing.T) {
	t.Parallel()
	s := Start(t)
	group, err := syscall.Getpgid(s.cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if group != s.cmd.Process.Pid {
		t.Errorf("process %d is in group %d", s.cmd.Process.Pid, group)
	}
}
