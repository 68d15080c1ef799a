package queue

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// What the design allows a waiting 600-byte message to cost in Redis, and how
// many are sent to find out.
const (
	messageCost = 1300
	sample      = 1000
)

// TestAWaitingMessageOf600BytesCostsAtMost1300 looks at the stream, by Redis's
// own reckoning, which errs on the high side.
func TestAWaitingMessageOf600BytesCostsAtMost1300(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob := b.member("a1").session("a11ce"), b.member("b0b")
	for i := range sample {
		alice.send(sized(alice, bob.sender.Member, i, 600))
	}
	key := b.q.at(b.mesh).inbox(bob.sender.Member, LaneNext)
	if got := int(b.do("MEMORY", "USAGE", key, "SAMPLES", 0).(int64)) / sample; got > messageCost {
		t.Errorf("a waiting message costs %d bytes, want at most %d", got, messageCost)
	}
}

// TestAllThatAWaitingMessageLeavesCostsAtMost1300 counts what the allocator
// gave out, idempotency and status included. The append-only file is off, since
// its buffer, which is no message's, would be counted too.
func TestAllThatAWaitingMessageLeavesCostsAtMost1300(t *testing.T) {
	t.Parallel()
	b := setup(t, "appendonly no")
	alice, bob := b.member("a1").session("a11ce"), b.member("b0b")
	alice.send(sized(alice, bob.sender.Member, sample, 600)) // loads the script
	before := b.usedMemory()
	for i := range sample {
		alice.send(sized(alice, bob.sender.Member, i, 600))
	}
	got := (b.usedMemory() - before) / sample
	t.Logf("%d bytes a message", got)
	if got > messageCost {
		t.Errorf("a waiting message costs %d bytes, want at most %d", got, messageCost)
	}
}

// sized is a message whose stored entry has n bytes.
func sized(p *peer, target string, i, n int) Direct {
	id := fmt.Sprintf("01J9ZK4W8Q3V5T7Y9B2D4F%04d", i)
	d := p.direct(target, id, fill(n-tailLen-len("1767225600000")-2*64-len(id)))
	d.Fingerprint = hexKey("f1")
	return d
}

// fill is the text of a JSON object of n bytes.
func fill(n int) string { return `{"x":"` + strings.Repeat("y", n-len(`{"x":""}`)) + `"}` }

func (b *bundle) usedMemory() int {
	b.tb.Helper()
	info, err := b.c.Raw().Info(b.tb.Context(), "memory").Result()
	if err != nil {
		b.tb.Fatal(err)
	}
	n, err := strconv.Atoi(regexp.MustCompile(`used_memory:(\d+)`).FindStringSubmatch(info)[1])
	if err != nil {
		b.tb.Fatal(err)
	}
	return n
}
