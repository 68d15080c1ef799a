package queue

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/claudemesh/claudemesh/infra/redistest"
)

func TestKeysAndTheirParsersAreInverse(t *testing.T) {
	t.Parallel()
	b := setupOn(t, nil, redistest.Start(t).Client(t))
	p := b.q.at(b.mesh)
	for _, lane := range Lanes() {
		want := inboxRef{b.mesh, hexKey("a1"), lane}
		tag, got, ok := parseInboxKey(p.inbox(want.key, lane))
		if !ok || tag != p.tag || got != want {
			t.Errorf("got %q, %+v, %v", tag, got, ok)
		}
		if got, ok := parseInboxRef(want.String()); !ok || got != want {
			t.Errorf("got %+v, %v", got, ok)
		}
	}
	seen := map[string]bool{}
	for _, key := range []string{
		p.head(), p.journal(), p.reader(), p.dead(), p.rate(), p.once(), p.track(), p.tries(), p.inboxes(), p.waits(),
	} {
		if seen[key] || !strings.Contains(key, p.tag) {
			t.Errorf("key %q is ambiguous or has no tag", key)
		}
		seen[key] = true
		if _, _, ok := parseInboxKey(key); ok {
			t.Errorf("%q was taken for an inbox", key)
		}
	}
}

func TestCursorsAreReadAsWritten(t *testing.T) {
	t.Parallel()
	for _, c := range []Cursor{{Epoch: "abcd1234"}, {"abcd1234", 17, "j0000017" + strings.Repeat("x", 24)}, {"a", 1, "0f0e0a0b-0000-4000-8000-000000000000"}} {
		if got, ok := ParseCursor(c.String()); !ok || got != c {
			t.Errorf("%s: got %+v, %v", c, got, ok)
		}
	}
	for _, bad := range []string{"", "//", "a/1/", "a/0/x", "a/01/x", "a/-1/x", "a/1/x/y", "a b/1/x", "a/1/x\n"} {
		if c, ok := ParseCursor(bad); ok {
			t.Errorf("%q was read as %+v", bad, c)
		}
	}
}

func FuzzIDs(f *testing.F) {
	f.Add("d0000017abcdefghijklmnopqrstuvwx")
	f.Add("jzzzzzzzabcdefghijklmnopqrstuvwx")
	f.Add("0f0e0a0b-0000-4000-8000-00000000")
	f.Fuzz(func(t *testing.T, s string) {
		if class, seq, ok := ParseID(s); ok && makeID(class, seq, s[idHead:]) != s {
			t.Errorf("%q is not the id of %c %d", s, class, seq)
		}
	})
}

func FuzzInboxKeys(f *testing.F) {
	f.Add("inbox:{p17}:Mesh1:abc:now")
	f.Add("inbox:{p17}:Mesh1:abc:soon")
	f.Fuzz(func(t *testing.T, s string) {
		if tag, r, ok := parseInboxKey(s); ok && (place{tag: tag, mesh: r.mesh}).inbox(r.key, r.lane) != s {
			t.Errorf("%q is not the key of %q %+v", s, tag, r)
		}
		if r, ok := parseInboxRef(s); ok && r.String() != s {
			t.Errorf("%q is not the name of %+v", s, r)
		}
	})
}

func FuzzCursors(f *testing.F) {
	f.Add("abcd1234/17/j0000017abcdefghijklmnopqrstuvwx")
	f.Add("abcd1234/0/")
	f.Fuzz(func(t *testing.T, s string) {
		if c, ok := ParseCursor(s); ok && c.String() != s {
			t.Errorf("%q was read as %+v", s, c)
		}
	})
}

func FuzzBells(f *testing.F) {
	for _, s := range []string{
		"inbox|K|now|P|3|0|id|1767225600000|M|P|c|{}",
		"journal|2|1|id|1767225600000|msg||M|P|*|s|{\"a\":1}",
		"reader|K|P|1767225600000000", "status|P", "inbox||||||||||||||", "",
	} {
		f.Add(strings.ReplaceAll(s, "|", bellJoint))
	}
	f.Fuzz(func(t *testing.T, s string) {
		if b, ok := ParseInboxBell(s); ok && (!strings.HasSuffix(s, b.Body) || !b.Lane.valid() || b.At < 0) {
			t.Errorf("%q was read as %+v", s, b)
		}
		if e, ok := ParseJournalBell(s); ok && (!strings.HasSuffix(s, e.Body) || e.At < 0) {
			t.Errorf("%q was read as %+v", s, e)
		}
		if r, ok := ParseReaderBell(s); ok && strings.Join([]string{BellReader, r.Inbox, r.Peer, r.Generation}, bellJoint) != s {
			t.Errorf("%q was read as %+v", s, r)
		}
	})
}

// TestAnIDThatIsKeptHoldsNothingOfItsBell: an edge remembers the ids of many
// entries, and must not keep their bodies with them.
func TestAnIDThatIsKeptHoldsNothingOfItsBell(t *testing.T) {
	t.Parallel()
	message := strings.Join([]string{"journal", "1", "0", "the id", "5", "msg", "", "m", "p", "*", "s", "{}"}, bellJoint)
	e, ok := ParseJournalBell(message)
	if !ok || e.ID != "the id" {
		t.Fatalf("read %+v, %v", e, ok)
	}
	if unsafe.StringData(e.ID) == unsafe.StringData(message[strings.Index(message, "the id"):]) {
		t.Error("the id is a part of the bell")
	}
}
