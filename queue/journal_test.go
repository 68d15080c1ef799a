package queue

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/claudemesh/claudemesh/infra/redis"
)

func (p *peer) post(target, body string) string {
	p.b.tb.Helper()
	r, err := p.b.q.Post(p.b.tb.Context(), Post{
		Mesh: p.b.mesh, Lease: p.lease, Sender: p.sender, Target: target, Body: []byte(body),
	})
	if err != nil {
		p.b.tb.Fatal(err)
	}
	return r.MessageID
}

func (b *bundle) journal(after uint64, limit int) ([]JournalEntry, Head) {
	b.tb.Helper()
	entries, head, err := b.q.Journal(b.tb.Context(), b.mesh, after, limit)
	if err != nil {
		b.tb.Fatal(err)
	}
	return entries, head
}

func TestTheJournalIsReadAsItWasRung(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice := b.member("a1")
	hear := b.listen(b.c.MeshBell(b.mesh))
	var heard []JournalEntry
	for i := range 5 {
		alice.post("@team one", fmt.Sprintf(`{"n":%d}`, i))
		e, ok := ParseJournalBell(hear())
		if !ok || e.Seq != uint64(i+1) || e.Prev != uint64(i) || e.Flags != FlagOthers || e.Kind != KindMessage {
			t.Fatalf("heard %+v, %v", e, ok)
		}
		heard = append(heard, e)
	}
	got, head := b.journal(0, 100)
	if diff := cmp.Diff(heard, got); diff != "" {
		t.Errorf("heard and read differ:\n%s", diff)
	}
	if last := heard[4]; head.Seq != 5 || head.ID != last.ID || len(head.Epoch) != epochLen {
		t.Errorf("got head %+v", head)
	}
	if part, _ := b.journal(2, 2); !cmp.Equal(part, heard[2:4]) {
		t.Errorf("got %+v, want entries 3 and 4", part)
	}
	heads, err := b.q.Heads(t.Context(), []string{"other", b.mesh})
	if err != nil || len(heads) != 2 || heads[0] != (Head{}) || heads[1] != head {
		t.Errorf("got heads %+v, %v", heads, err)
	}
	if s, err := b.q.Status(t.Context(), b.mesh, heard[0].ID); err != nil || !s.Delivered || s.Target != "@team one" {
		t.Errorf("got %+v, %v; want a post to be delivered at once", s, err)
	}
	if ttl := b.do("PTTL", b.q.at(b.mesh).journal()).(int64); ttl < 290_000 || ttl > 300_000 {
		t.Errorf("the journal is kept for %d ms after its last entry, want 5 minutes", ttl)
	}
}

func TestAnotherRoomAppendsThroughTheFragment(t *testing.T) {
	t.Parallel()
	b := setup(t)
	script := redis.NewScript(`#!lua flags=allow-oom
local seq, id = journal_append(KEYS[1], KEYS[2], ARGV[1], 'epoch000', {
  id = 'abc-def', kind = 'event', event = 'peer_joined', member = 'M', peer = 'P', flags = '-', body = '{"name":"x"}'})
return {seq, id}`, JournalLua)
	got, err := b.c.Run(t.Context(), script, b.q.JournalKeys(b.mesh), b.c.MeshBell(b.mesh)).Slice()
	if err != nil || !slices.Equal(got, []any{int64(1), "abc-def"}) {
		t.Fatalf("got %v, %v", got, err)
	}
	entries, head := b.journal(0, 10)
	want := JournalEntry{
		Seq: 1, ID: "abc-def", At: entries[0].At, Kind: KindEvent, Event: "peer_joined",
		Member: "M", Peer: "P", Flags: "-", Body: `{"name":"x"}`,
	}
	if entries[0] != want || head != (Head{Epoch: "epoch000", Seq: 1, ID: "abc-def"}) {
		t.Errorf("got %+v, %+v", entries, head)
	}
}

// appendScript appends to a journal with one bound changed.
func appendScript(old, now string) *redis.Script {
	return redis.NewScript(`#!lua flags=allow-oom
local seq = journal_append(KEYS[1], KEYS[2], 'bell', 'epoch000', {id = '', tail = ARGV[1], kind = 'msg', body = ARGV[2]})
return seq`, strings.Replace(JournalLua, old, now, 1))
}

func (b *bundle) appendWith(s *redis.Script, body string) {
	b.tb.Helper()
	if err := b.c.Run(b.tb.Context(), s, b.q.JournalKeys(b.mesh), randomText(tailLen), body).Err(); err != nil {
		b.tb.Fatal(err)
	}
}

func TestTheJournalIsTrimmedAtTheFrontAndSaysSo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	few := appendScript("JOURNAL_ENTRIES = 10000", "JOURNAL_ENTRIES = 10")
	for range 25 {
		b.appendWith(few, "{}")
	}
	entries, head := b.journal(0, 100)
	if len(entries) != 10 || entries[0].Seq != 16 || head.Seq != 25 {
		t.Errorf("got %d entries from %d", len(entries), entries[0].Seq)
	}
	if !head.Gap(0, entries) || !head.Gap(14, entries) || head.Gap(15, entries) {
		t.Error("entries 1 to 15 are missing, no others")
	}
	b.do("DEL", b.q.at(b.mesh).journal()) // as when it expires
	entries, head = b.journal(24, 100)
	if len(entries) != 0 || !head.Gap(24, entries) || head.Gap(25, entries) {
		t.Error("entry 25 is missing, no other")
	}
	b.appendWith(few, "{}")
	if entries, _ = b.journal(25, 100); len(entries) != 1 || entries[0].Seq != 26 {
		t.Errorf("SEQs do not go on after the journal expired: %+v", entries)
	}
	if got, want := b.headHash()["jbytes"], fmt.Sprint(entrySize(entries[0])); got != want {
		t.Errorf("jbytes is %s, want the %s of the only entry", got, want)
	}
}

func entrySize(e JournalEntry) int {
	return len(e.ID) + len(fmt.Sprint(e.At)) + len(e.Kind) + len(e.Event) + len(e.Member) + len(e.Peer) + len(e.Target) + len(e.Flags) + len(e.Body)
}

func TestTheJournalIsBoundedInBytesAndAge(t *testing.T) {
	t.Parallel()
	b := setup(t)
	small := appendScript("JOURNAL_BYTES = 8388608", "JOURNAL_BYTES = 5000")
	for range 50 {
		b.appendWith(small, fill(500))
	}
	entries, _ := b.journal(0, 100)
	size := 0
	for _, e := range entries {
		size += entrySize(e)
	}
	if size > 5000 || size < 4000 || b.headHash()["jbytes"] != fmt.Sprint(size) {
		t.Errorf("the journal holds %d bytes, counted as %s, want at most 5000", size, b.headHash()["jbytes"])
	}
	// An append long after: all but the newest are too old.
	late := redis.NewScript("#!lua flags=allow-oom\n"+
		"journal_trim(KEYS[1], KEYS[2], now_ms() + 1, tonumber(redis.call('HGET', KEYS[2], 'jbytes'))) return 1",
		strings.Replace(JournalLua, "JOURNAL_MS = 300000", "JOURNAL_MS = 0", 1))
	for range 3 { // each removes a bounded number
		b.appendWith(late, "")
	}
	if entries, _ = b.journal(0, 100); len(entries) != 1 || entries[0].Seq != 50 {
		t.Errorf("%d old entries remain, want only the newest", len(entries))
	}
}

func TestL4_ACursorHoldsWhileItsEntryIsThere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	few := appendScript("JOURNAL_ENTRIES = 10000", "JOURNAL_ENTRIES = 3")
	check := func(c Cursor, want bool) {
		t.Helper()
		if got, err := b.q.CheckCursor(t.Context(), b.mesh, c); err != nil || got != want {
			t.Errorf("%s: got %v, %v; want %v", c, got, err, want)
		}
	}
	check(Cursor{Epoch: "epoch000"}, false) // no such mesh
	b.appendWith(few, "{}")
	check(Cursor{Epoch: "epoch000"}, true)
	entries, head := b.journal(0, 10)
	first := entries[0]
	check(head.Cursor(), true)
	for range 2 {
		b.appendWith(few, "{}")
	}
	check(Cursor{"epoch000", 1, first.ID}, true)
	check(Cursor{"epoch111", 1, first.ID}, false)
	check(Cursor{"epoch000", 1, "j0000001somethingelse"}, false)
	check(Cursor{"epoch000", 2, first.ID}, false)
	check(Cursor{"epoch000", 9, first.ID}, false) // Redis went back
	b.appendWith(few, "{}")
	check(Cursor{"epoch000", 1, first.ID}, false) // trimmed
	check(Cursor{Epoch: "epoch000"}, false)
	_, head = b.journal(0, 10)
	b.do("DEL", b.q.at(b.mesh).journal())
	check(head.Cursor(), true) // nothing was missed, although all has expired
}
