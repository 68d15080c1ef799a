package queue

import (
	"errors"
	"fmt"
	"testing"

	"github.com/claudemesh/claudemesh/infra/redistest"
)

// onCluster is a bundle on a cluster, with one mesh in some partition.
func onCluster(t *testing.T, server *redistest.Cluster, mesh string, replicas int) *bundle {
	t.Helper()
	b := setupOn(t, nil, server.Client(t))
	b.mesh = mesh
	b.q.o.AckReplicas = replicas
	return b
}

func TestQ3_MessagesWaitInOrderOnEveryMasterOfACluster(t *testing.T) {
	t.Parallel()
	server := redistest.StartCluster(t, 3, 0)
	owners := map[int]bool{}
	for i := range 12 {
		b := onCluster(t, server, fmt.Sprintf("Mesh%028d", i), 0)
		owners[server.Owner(b.c.Tag(b.mesh))] = true
		ana, bob := b.member("aa"), b.member("bb")
		var ids []string
		for n := range 3 {
			r, err := b.q.Send(t.Context(), ana.direct(bob.sender.Key, "", fmt.Sprintf(`{"n":%d}`, n)))
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, r.MessageID)
		}
		entries, err := b.q.Read(t.Context(), b.mesh, bob.sender.Key, LaneNext, 0, 10, 1<<20)
		if err != nil || len(entries) != len(ids) {
			t.Fatalf("%d entries, %v", len(entries), err)
		}
		for n, e := range entries {
			if e.ID != ids[n] {
				t.Errorf("entry %d is %s, want %s", n, e.ID, ids[n])
			}
			if ok, err := b.q.Ack(t.Context(), b.mesh, bob.lease, []string{bob.sender.Key}, e.ID); err != nil || !ok {
				t.Errorf("ack: %v, %v", ok, err)
			}
		}
	}
	if len(owners) != 3 {
		t.Errorf("only masters %v were tested", owners)
	}
}

func TestQ1_AnAckedMessageSurvivesTheDeathOfItsMaster(t *testing.T) {
	t.Parallel()
	server := redistest.StartCluster(t, 3, 1)
	b := onCluster(t, server, "Mesh00000000000000000000000000aa", 1)
	ana, bob := b.member("aa"), b.member("bb")
	owner := server.Owner(b.c.Tag(b.mesh))
	acked := map[string]bool{}
	send := func(n int) {
		client := fmt.Sprint("client", n)
		for range 1000 { // as clients do: the same id until it is acked
			r, err := b.q.Send(t.Context(), ana.direct(bob.sender.Key, client, `{}`))
			if err == nil {
				acked[r.MessageID] = true
				return
			}
		}
		t.Errorf("%s was never acked", client)
	}
	n := 0
	for ; n < 200; n++ {
		send(n)
	}
	back := make(chan struct{})
	go func() {
		defer close(back)
		server.Kill(owner)
		server.AwaitNewOwner(b.c.Tag(b.mesh), owner)
		server.Restart(owner) // as a replica, which confirms again
	}()
	for serving := true; serving; n++ {
		send(n)
		select {
		case <-back:
			serving = false
		default:
		}
	}
	send(n)
	entries, err := b.q.Read(t.Context(), b.mesh, bob.sender.Key, LaneNext, 0, 5000, 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]int{}
	for _, e := range entries {
		kept[e.ID]++
	}
	for id := range acked {
		if kept[id] != 1 {
			t.Errorf("acked message %s is there %d times", id, kept[id])
		}
	}
	t.Logf("%d acked, %d kept", len(acked), len(entries))
}

func TestQ2_AnUnconfirmedSendIsADuplicateWhenItIsTriedAgain(t *testing.T) {
	t.Parallel()
	server := redistest.StartCluster(t, 1, 0) // nobody can confirm
	b := onCluster(t, server, "Mesh00000000000000000000000000aa", 1)
	ana, bob := b.member("aa"), b.member("bb")
	if _, err := b.q.Send(t.Context(), ana.direct(bob.sender.Key, "id1", `{}`)); !errors.Is(err, ErrUnconfirmed) {
		t.Fatalf("got %v", err)
	}
	b.q.o.AckReplicas = 0
	r, err := b.q.Send(t.Context(), ana.direct(bob.sender.Key, "id1", `{}`))
	if err != nil || !r.Duplicate {
		t.Fatalf("got %+v, %v", r, err)
	}
}
