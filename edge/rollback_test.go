package edge_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/infra/redis"
)

// lossLease is short, so that what takes a lease and two renewals can be seen
// to happen, and long enough for a crowded machine to renew in time.
const lossLease = 2400 * time.Millisecond

// lossFleet is two edges on one Redis.
func lossFleet(t *testing.T) (one, other *edgetest.Edge) {
	t.Helper()
	one = edgetest.Start(t, edgetest.WithLease(lossLease))
	return one, edgetest.Start(t, edgetest.WithRedis(one.Redis), edgetest.WithLease(lossLease))
}

// moment keeps all that Redis knows now, and returns a function that takes it
// back to then, as a fail-over to a replica that was behind does.
func moment(t *testing.T, c *redis.Client) (back func()) {
	t.Helper()
	type value struct {
		dump string
		ends time.Duration
	}
	then := map[string]value{}
	keys, err := c.Raw().Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		dump, err := c.Raw().Dump(t.Context(), key).Result()
		ends := c.Raw().PExpireTime(t.Context(), key).Val()
		if err != nil {
			continue // it has just expired
		}
		then[key] = value{dump, max(ends, 0)}
	}
	return func() {
		t.Helper()
		pipe := c.Raw().TxPipeline()
		pipe.FlushAll(t.Context())
		for key, v := range then {
			pipe.Do(t.Context(), "RESTORE", key, v.ends.Milliseconds(), v.dump, "ABSTTL")
		}
		if _, err := pipe.Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// epochOf is the epoch of a mesh's journal, "" for none.
func epochOf(t *testing.T, e *edgetest.Edge, m *edgetest.Mesh) string {
	t.Helper()
	return e.Client.Raw().HGet(t.Context(), "head:"+e.Client.Tag(m.ID)+":"+m.ID, "epoch").Val()
}

// awaitTurn waits until the journal has left an epoch.
func awaitTurn(t *testing.T, e *edgetest.Edge, m *edgetest.Mesh, from string) string {
	t.Helper()
	now := ""
	edgetest.Eventually(t, func() error {
		if now = epochOf(t, e, m); now == "" || now == from {
			return fmt.Errorf("epoch %q", now)
		}
		return nil
	})
	return now
}

// awaitRoster waits until p sees so many.
func awaitRoster(t *testing.T, p *edgetest.Peer, n int) {
	t.Helper()
	edgetest.Eventually(t, func() error {
		if got := p.List(); len(got) != n {
			return fmt.Errorf("%d are here, want %d", len(got), n)
		}
		return nil
	})
}

// presenceEvents are the presence events a peer was given, with their names.
func presenceEvents(p *edgetest.Peer) []string {
	var out []string
	for _, push := range p.Pushes() {
		switch push.Event {
		case wire.EventPeerJoined, wire.EventPeerLeft, wire.EventPeerReturned:
			out = append(out, string(push.Event)+" "+string(push.EventData))
		default: // says nothing about who is here
		}
	}
	return out
}

func wantQuiet(t *testing.T, ps ...*edgetest.Peer) {
	t.Helper()
	for _, p := range ps {
		if got := presenceEvents(p); len(got) > 0 {
			t.Errorf("%s saw %q", p.Member.Name, got)
		}
	}
}

// settled lets a lease, its hold and both looks at what is missing go by.
func settled() <-chan time.Time { return time.After(2*lossLease + 4*lossLease/3) }

func TestL4_AfterARollbackWhatCameInsteadIsHeardAndOldPlacesAreNotBelieved(t *testing.T) {
	t.Parallel()
	one, other := lossFleet(t)
	m := one.NewMesh()
	ana, bob, cy := m.Session(one, "ana"), m.Session(one, "bob"), m.Session(other, "cy")
	insist(t, ana, "*", "before")
	receiveOnce(t, bob, "before")
	receiveOnce(t, cy, "before")
	back, epoch := moment(t, one.Client), epochOf(t, one, m)
	insist(t, ana, "*", "lost 1")
	receiveOnce(t, bob, "lost 1")
	insist(t, ana, "*", "lost 2")
	receiveOnce(t, bob, "lost 2")
	receiveOnce(t, cy, "lost 1")
	lost := cy.Receive()
	back()
	for i := range 3 {
		text := fmt.Sprint("new ", i)
		insist(t, ana, "*", text)
		receiveOnce(t, bob, text)
		receiveOnce(t, cy, text)
	}
	turned := awaitTurn(t, one, m, epoch)
	<-time.After(lossLease) // more than two renewal rounds on both edges
	if now := epochOf(t, one, m); now != turned {
		t.Errorf("the epoch was turned twice: %s, %s, %s", epoch, turned, now)
	}
	insist(t, ana, "*", "after")
	for _, p := range []*edgetest.Peer{bob, cy} {
		push := p.Receive()
		if cursor, err := wire.ParseCursor(push.Cursor); edgetest.Text(push) != "after" || err != nil || cursor.Epoch != turned {
			t.Errorf("got %q at %s, want epoch %s", edgetest.Text(push), push.Cursor, turned)
		}
		if again := p.Again(other); !again.Ack.Resumed || again.Ack.Resync {
			t.Errorf("%s came back resumed %v, resync %v", p.Member.Name, again.Ack.Resumed, again.Ack.Resync)
		}
	}
	hello, ok := cy.Opening().(*wire.SessionHello)
	if !ok {
		t.Fatal("no session")
	}
	conn := edgetest.Dial(t, one)
	hello.Cursor = lost.Cursor
	hello.Sign(cy.SessionKey())
	conn.Write(hello)
	if ack := edgetest.Next[*wire.HelloAck](conn); !ack.Resync {
		t.Errorf("a place in what was lost is believed: %+v", ack)
	}
}

func TestL1_WhoCameBeforeARollbackIsStillHereAfterIt(t *testing.T) {
	t.Parallel()
	one, other := lossFleet(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	ana.Event(wire.EventPeerJoined)
	m.Member("cy") // only its coming is forgotten
	back := moment(t, one.Client)
	cy := m.Session(one, "cy")
	ana.Event(wire.EventPeerJoined)
	bob.Event(wire.EventPeerJoined)
	back()
	insist(t, ana, "*", "instead of cy's joining")
	awaitRoster(t, bob, 3)
	<-settled()
	wantQuiet(t, ana, bob, cy)
	if again := cy.Again(other); !again.Ack.Resumed {
		t.Error("cy was not resumed")
	}
}

func TestL2_AGoodbyeThatRedisForgotIsRepeatedUnderItsFirstID(t *testing.T) {
	t.Parallel()
	one, other := lossFleet(t)
	m := one.NewMesh()
	ana, bob, cy := m.Session(one, "ana"), m.Session(other, "bob"), m.Session(other, "cy")
	ana.Pushes()
	bob.Pushes()
	back := moment(t, one.Client)
	cy.Write(&wire.Goodbye{})
	first := ana.Event(wire.EventPeerLeft)
	if push := bob.Event(wire.EventPeerLeft); push.MessageID != first.MessageID {
		t.Errorf("ids %s and %s", first.MessageID, push.MessageID)
	}
	back()
	insist(t, ana, "*", "instead of cy's leaving")
	<-settled()
	for _, p := range []*edgetest.Peer{ana, bob} {
		for _, push := range p.Pushes() {
			if push.Event == wire.EventPeerLeft && push.MessageID != first.MessageID || push.Event == wire.EventPeerJoined {
				t.Errorf("%s was told %s %s", p.Member.Name, push.Event, push.MessageID)
			}
		}
	}
	awaitRoster(t, ana, 2)
}

// kept is a backup of a mesh, as its owner makes one.
func kept(t *testing.T, e *edgetest.Edge, m *edgetest.Mesh) []wire.BackupRecord {
	t.Helper()
	records, next, err := e.Registry.Backup(t.Context(), m.ID, "")
	if err != nil || next != "" {
		t.Fatal(next, err)
	}
	return records
}

func restored(t *testing.T, e *edgetest.Edge, m *edgetest.Mesh, records []wire.BackupRecord) {
	t.Helper()
	if err := e.Registry.Restore(t.Context(), m.ID, wire.PublicKey(m.Owner), records); err != nil {
		t.Fatal(err)
	}
}

// lostMeshes is how many an edge counts as lost, -1 while it does not say.
func lostMeshes(e *edgetest.Edge) float64 {
	n, err := metric(e, "edge_lost_meshes")
	if err != nil {
		return -1
	}
	return n
}

func flush(t *testing.T, e *edgetest.Edge) {
	t.Helper()
	if err := e.Client.Raw().FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestL1_AnEmptiedRedisIsFilledAgainWithoutAWord(t *testing.T) {
	t.Parallel()
	one, other := lossFleet(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	cut, killed := m.Session(one, "cut"), m.Session(other, "killed")
	third := edgetest.Start(t, edgetest.WithRedis(one.Redis), edgetest.WithLease(lossLease))
	orphan := m.Session(third, "orphan")
	awaitRoster(t, ana, 5)
	<-time.After(lossLease) // everybody's roster has been read, and renewals have gone by
	ana.Pushes()
	bob.Pushes()
	records := kept(t, one, m)
	cut.Cut()
	third.Kill() // and with it the one process that knows that orphan is away
	flush(t, one)
	restored(t, one, m, records)
	killed.Cut() // detached when nothing is there to be detached
	for _, p := range []*edgetest.Peer{cut, killed, orphan} {
		if again := p.Again(other); !again.Ack.Resumed && !again.Ack.Resync {
			t.Errorf("%s missed something and was not told", p.Member.Name)
		}
	}
	awaitRoster(t, bob, 5)
	<-settled()
	wantQuiet(t, ana, bob)
	awaitRoster(t, ana, 5)
}

func TestL2_WhoDoesNotComeBackAfterRedisWasEmptiedLeavesOnce(t *testing.T) {
	t.Parallel()
	one, other := lossFleet(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	third := edgetest.Start(t, edgetest.WithRedis(one.Redis), edgetest.WithLease(lossLease))
	m.Session(third, "orphan")
	awaitRoster(t, ana, 3)
	<-time.After(lossLease)
	ana.Pushes()
	bob.Pushes()
	records := kept(t, one, m)
	third.Kill()
	flush(t, one)
	emptied := time.Now()
	restored(t, one, m, records)
	ids := []string{}
	for _, p := range []*edgetest.Peer{ana, bob} {
		push := p.Event(wire.EventPeerLeft)
		ids = append(ids, push.MessageID)
		if early := time.Since(emptied); early < lossLease {
			t.Errorf("announced after %v", early)
		}
	}
	if ids[0] != ids[1] {
		t.Errorf("announced under two ids: %q", ids)
	}
	<-settled()
	wantQuiet(t, ana, bob)
}

func TestALostMeshIsReportedAsLostUntilItIsRestored(t *testing.T) {
	t.Parallel()
	one, other := lossFleet(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	control := m.Member("bob").Control(other)
	records := kept(t, one, m)
	flush(t, one)
	edgetest.Eventually(t, func() error {
		if lostMeshes(one) != 1 {
			return errors.New("the loss is not counted")
		}
		return nil
	})
	for _, opening := range []wire.Message{bob.Opening(), control.Opening()} {
		conn := edgetest.Dial(t, other)
		conn.Write(opening)
		conn.ExpectError(wire.CodeMeshLost)
		conn.ExpectClose(wire.CloseRefused, string(wire.CodeMeshLost))
	}
	restored(t, one, m, records)
	awaitRoster(t, ana, 3)
	if again := bob.Again(one); !again.Ack.Resumed {
		t.Error("bob was not resumed")
	}
	edgetest.Eventually(t, func() error {
		if lostMeshes(one) != 0 {
			return errors.New("the mesh is still counted as lost")
		}
		return nil
	})
	insist(t, ana, bob.Key(), "as before")
}
