package queue

import (
	"fmt"
	"strings"
	"testing"
)

// candidates lists the PEERs in line for an inbox.
func (b *bundle) candidates(field string) []string {
	b.tb.Helper()
	list, _ := b.do("HGET", b.q.at(b.mesh).reader(), field).(string)
	var out []string
	for _, c := range strings.Fields(list) {
		out = append(out, strings.Split(c, "/")[1])
	}
	return out
}

// wants checks who is in line, by the peers' order.
func (b *bundle) wants(inbox string, peers ...*peer) {
	b.tb.Helper()
	want := make([]string, len(peers))
	for i, p := range peers {
		want[i] = p.sender.Peer
	}
	if got := b.candidates(inbox); fmt.Sprint(got) != fmt.Sprint(want) {
		b.tb.Errorf("in line are %q, want %q", got, want)
	}
}

func TestTheBestCandidateReadsAndWhoCameFirstAmongEquals(t *testing.T) {
	t.Parallel()
	b := setup(t)
	keyless := b.member("a1")
	inbox := keyless.sender.Member
	s1, s2, one := keyless.session("51"), keyless.session("52"), keyless.claim("c1", "one")
	if !keyless.open(inbox, RankUnproven) || one.open(inbox, RankTransient) {
		t.Error("the first is the reader, the transient is not")
	}
	if !s1.open(inbox, RankSession) || s2.open(inbox, RankSession) {
		t.Error("the first session is the reader, the second is not")
	}
	b.wants(inbox, s1, s2, keyless, one)

	hear := b.listen(b.c.EdgeBell(b.mesh, edgeA))
	r, err := b.q.Promote(t.Context(), keyless.reader(inbox, 0))
	if err != nil || !r.Best {
		t.Errorf("got %+v, %v; want the one that acks to be the reader", r, err)
	}
	b.wants(inbox, keyless, s1, s2, one)
	if bell, ok := ParseReaderBell(hear()); !ok || bell != (ReaderBell{inbox, keyless.sender.Peer, keyless.gen}) {
		t.Errorf("the one before was told %+v", bell)
	}
	if r, err := b.q.Promote(t.Context(), s2.reader(inbox, 0)); err != nil || r.Best {
		t.Errorf("got %+v, %v; want the promoted one behind the first that acked", r, err)
	}
	b.wants(inbox, keyless, s2, s1, one)
}

func TestAnInboxIsHandedOverToTheNextAndThenToNobody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	keyless := b.member("a1")
	inbox := keyless.sender.Member
	session := b.connect(keyless.session("51").sender, KindSession, edgeB)
	keyless.open(inbox, RankUnproven)
	session.open(inbox, RankSession)
	atA, atB := b.listen(b.c.EdgeBell(b.mesh, edgeA)), b.listen(b.c.EdgeBell(b.mesh, edgeB))

	session.close(inbox)
	if bell, ok := ParseReaderBell(atA()); !ok || bell != (ReaderBell{inbox, keyless.sender.Peer, keyless.gen}) {
		t.Errorf("the next one was told %+v", bell)
	}
	session.close(inbox) // again: no further bell
	b.wants(inbox, keyless)
	session.open(inbox, RankSession)
	if bell, ok := ParseReaderBell(atA()); !ok || bell.Peer != session.sender.Peer {
		t.Errorf("the one before was told %+v", bell)
	}
	b.member("b0b").say(inbox)
	if bell, ok := ParseInboxBell(atB()); !ok || bell.Reader != session.sender.Peer {
		t.Errorf("the message rang for %+v", bell)
	}
	keyless.close(inbox)
	session.close(inbox)
	if left := b.do("EXISTS", b.q.at(b.mesh).reader()); left != int64(0) {
		t.Error("candidates remain")
	}
}

func TestClosingReachesUpToAGeneration(t *testing.T) {
	t.Parallel()
	b := setup(t)
	old := b.member("a1")
	inbox := old.sender.Member
	old.open(inbox, RankUnproven)
	now := old.back(edgeB)
	if !now.open(inbox, RankUnproven) {
		t.Error("the newer generation is not the reader")
	}
	b.wants(inbox, now) // in place of the older one
	old.close(inbox)
	b.wants(inbox, now)
	now.close(inbox)
	b.wants(inbox)
}

func TestAReturningPeerKeepsItsPlaceAndItsBetterRank(t *testing.T) {
	t.Parallel()
	b := setup(t)
	keyless := b.member("a1")
	inbox := keyless.sender.Member
	s1, s2 := keyless.session("51"), keyless.session("52")
	s1.open(inbox, RankSession)
	s2.open(inbox, RankSession)
	if s1 = s1.back(edgeB); !s1.open(inbox, RankSession) {
		t.Error("the returning session lost the inbox")
	}
	if _, err := b.q.Promote(t.Context(), s2.reader(inbox, 0)); err != nil {
		t.Fatal(err)
	}
	if s2 = s2.back(edgeB); !s2.open(inbox, RankSession) {
		t.Error("the returning session that acks lost the inbox")
	}
	if s1.open(inbox, RankTransient) {
		t.Error("opening with a worse rank made it the reader")
	}
	b.wants(inbox, s2, s1)
}

func TestTheLineOfCandidatesIsBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.q.maxReads = 5
	keyless := b.member("a1")
	inbox := keyless.sender.Member
	for i := range 10 {
		keyless.session(fmt.Sprintf("5%d", i)).open(inbox, RankSession)
	}
	if n := len(b.candidates(inbox)); n != 5 {
		t.Errorf("%d are in line, want 5", n)
	}
	if keyless.open(inbox, RankUnproven) {
		t.Error("a worse one became the reader")
	}
	if !keyless.open(inbox, RankAcked) {
		t.Error("a better one did not get in")
	}
	if n := len(b.candidates(inbox)); n != 5 {
		t.Errorf("%d are in line, want 5", n)
	}
}
