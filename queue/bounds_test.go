package queue

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestQ4_AnInboxRefusesItsMessage10001(t *testing.T) {
	t.Parallel()
	b := setup(t, "appendonly no")
	bob := b.member("b0b")
	inbox := bob.sender.Member
	senders := make([]*peer, 50)
	var wg sync.WaitGroup
	for i := range senders {
		senders[i] = b.member(fmt.Sprintf("a%d", i))
		wg.Go(func() {
			for n := range MaxInboxMessages / len(senders) {
				d := senders[i].direct(inbox, "", "{}")
				d.Lane = Lanes()[n%3]
				if _, err := b.q.Send(t.Context(), d); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if _, err := b.q.Send(t.Context(), senders[0].direct(inbox, "", "{}")); !errors.Is(err, ErrInboxFull) {
		t.Errorf("got %v, want ErrInboxFull", err)
	}
	total := 0
	for _, lane := range Lanes() {
		total += len(b.read(inbox, lane))
	}
	if total != MaxInboxMessages {
		t.Errorf("the inbox holds %d messages, want all %d", total, MaxInboxMessages)
	}
	senders[0].say(senders[1].sender.Member) // others are not affected
	bob.ack(b.read(inbox, LaneNow)[0].ID, inbox)
	senders[0].say(inbox)
}

func TestQ4_AnInboxAndAMeshAreBoundedInBytes(t *testing.T) {
	t.Parallel()
	if MaxInboxBytes != 64<<20 || MaxMeshBytes != 256<<20 {
		t.Error("the bounds are not the promised ones")
	}
	b := setup(t)
	b.q.maxBytes, b.q.maxMesh = 100_000, 150_000
	alice, bob := b.member("a1"), b.member("b0b")
	fillUp := func(inbox string, want error) (n int) {
		t.Helper()
		for ; ; n++ {
			if _, err := b.q.Send(t.Context(), alice.direct(inbox, "", fill(10_000))); err != nil {
				if !errors.Is(err, want) {
					t.Fatalf("got %v, want %v", err, want)
				}
				return n
			}
		}
	}
	if n := fillUp(bob.sender.Member, ErrInboxFull); n != 9 {
		t.Errorf("%d messages of 10 KB went into an inbox of 100 KB, want 9", n)
	}
	if n := fillUp(b.member("ca41").sender.Member, ErrMeshFull); n != 5 {
		t.Errorf("%d more went into a mesh of 150 KB, want 5", n)
	}
	waiting := b.read(bob.sender.Member, LaneNext)
	bob.ack(waiting[0].ID, bob.sender.Member)
	alice.send(alice.direct(bob.sender.Member, "", fill(10_000)))
}

// TestQ4_ASendThatRedisHasNoMemoryForChangesNothing is about scripts not being
// transactions: they must be refused before they begin.
func TestQ4_ASendThatRedisHasNoMemoryForChangesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.q.o.Rate, b.q.o.Burst = 6000, 6000
	alice, bob := b.member("a1"), b.member("b0b")
	inbox := bob.sender.Member
	id := alice.send(alice.direct(inbox, "first", fill(60_000))).MessageID
	b.do("CONFIG", "SET", "maxmemory", "1mb")

	before := b.dump()
	if _, err := b.q.Send(t.Context(), alice.direct(inbox, "second", fill(1000))); !errors.Is(err, ErrMemory) {
		t.Errorf("send: got %v, want ErrMemory", err)
	}
	post := Post{Mesh: b.mesh, Lease: alice.lease, Sender: alice.sender, Target: "*", Body: []byte("{}")}
	if _, err := b.q.Post(t.Context(), post); !errors.Is(err, ErrMemory) {
		t.Errorf("post: got %v, want ErrMemory", err)
	}
	if diff := cmp.Diff(before, b.dump()); diff != "" {
		t.Errorf("a refused send changed something:\n%s", diff)
	}

	if !bob.open(inbox, RankUnproven) {
		t.Error("an inbox could not be opened")
	}
	if got := b.read(inbox, LaneNext); len(got) != 1 || !bob.ack(id, inbox) {
		t.Error("what waited could not be read and acked")
	}
	b.do("CONFIG", "SET", "maxmemory", "0")
	if r := alice.send(alice.direct(inbox, "second", fill(1000))); r.Duplicate {
		t.Error("the refused send occupied its id")
	}
}

// dump is the value of every key.
func (b *bundle) dump() map[string]string {
	b.tb.Helper()
	out := map[string]string{}
	for _, key := range b.do("KEYS", "*").([]any) {
		out[key.(string)] = fmt.Sprintf("%x", b.do("DUMP", key))
	}
	return out
}
