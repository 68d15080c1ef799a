package presence

import (
	"strings"
	"testing"
)

func TestEveryKeyNamesItsPartitionAndNoTwoAreAlike(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	seen := map[string]bool{}
	for _, key := range b.store.allKeys(b.peer("p1")) {
		if !strings.Contains(key, b.rdb.Tag(b.mesh)) || seen[key] {
			t.Errorf("key %q", key)
		}
		seen[key] = true
	}
	if len(seen) != 11 || b.store.LeaseKey(b.peer("p1")) != "lease:"+b.rdb.Tag(b.mesh)+":Mesh1:p1" {
		t.Errorf("%d keys, lease %q", len(seen), b.store.LeaseKey(b.peer("p1")))
	}
}

func TestForeignKeysAreNotTakenForLeases(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		"", "lease", "lease:", "lease:{p1}", "lease:{p1}:mesh", "lease:{p1}:mesh:", "lease:{p1}::peer", "lease:p1:mesh:peer",
		"lease:{px}:mesh:peer", "lease:{p1}:mesh:peer:more", "once:{p1}:mesh:0", "lease:{p1}:me sh:peer",
	} {
		if _, p, ok := parseLeaseKey(key); ok {
			t.Errorf("%q was taken for the lease of %+v", key, p)
		}
	}
}

func FuzzLeaseKey(f *testing.F) {
	f.Add("lease:{p17}:mesh:peer")
	f.Add("lease:{p17}:mesh:peer:x")
	f.Add("due:{p17}")
	f.Fuzz(func(t *testing.T, key string) {
		if tag, p, ok := parseLeaseKey(key); ok && leaseKey(tag, p) != key {
			t.Fatalf("%q came back as %q", key, leaseKey(tag, p))
		}
	})
}

func FuzzLeaseValue(f *testing.F) {
	f.Add("1767225600000000/edge/conn")
	f.Add("1/e/-")
	f.Add("01/e/c")
	f.Fuzz(func(t *testing.T, value string) {
		if gen, edge, conn, ok := parseLeaseValue(value); ok && leaseValue(gen, edge, conn) != value {
			t.Fatalf("%q came back as %q", value, leaseValue(gen, edge, conn))
		}
	})
}

func FuzzCleanupMember(f *testing.F) {
	f.Add("mesh:peer:1767225600000000:member:key")
	f.Add("mesh:peer:1:member")
	f.Fuzz(func(t *testing.T, member string) {
		if l, ok := parseCleanupMember(member); ok && cleanupMember(l) != member {
			t.Fatalf("%q came back as %q", member, cleanupMember(l))
		}
	})
}

func FuzzRecord(f *testing.F) {
	f.Add(`1767225600000000 mm kk session ah 1767225600000 idle jsonl 1767225600000 {"a":[] }`)
	f.Add(`1 m k member - 0 dnd hook 0 `)
	f.Add(`1 m k member b 0 dnd hook 0 {}`)
	f.Fuzz(func(t *testing.T, text string) {
		p, ok := parseRecord(Peer{"m", "p"}, text)
		if !ok {
			return
		}
		again, ok := parseRecord(p.Peer, formatRecord(p))
		if !ok || formatRecord(again) != formatRecord(p) {
			t.Fatalf("%q came back as %q", text, formatRecord(again))
		}
	})
}

func FuzzCursor(f *testing.F) {
	f.Add("Ep0ch123/0/")
	f.Add("Ep0ch123/17/j0000001aaaa")
	f.Add("Ep0ch123/017/x")
	f.Fuzz(func(t *testing.T, text string) {
		if c, ok := ParseCursor(text); ok && c.String() != text {
			t.Fatalf("%q came back as %q", text, c)
		}
	})
}

func FuzzAnswers(f *testing.F) {
	f.Add("left\x00" + `1 m k session a 1 idle jsonl 1 {}` + "\x005\x0012\x00announced")
	f.Add("joined\x001\x00\x00E/0/\x00\x001 m k session a 1 idle jsonl 1 {}")
	f.Add("10\x00\x00mesh:peer")
	f.Fuzz(func(t *testing.T, text string) {
		answer := strings.Split(text, "\x00")
		parseLeft(Peer{"m", "p"}, answer)
		_, _ = Attachment{}.attached(answer)
		_, _ = readOutlook(answer)
		_, _ = readStatus(answer)
		parseSaved(text)
	})
}

// TestLuaReadsRecordsAsGoDoes holds the two parsers of a record together.
func TestLuaReadsRecordsAsGoDoes(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	echo := fragmentScript("local r = parse_record(ARGV[1]) return r and format_record(r) or 'none'")
	for _, text := range []string{
		`1767225600000000 mm kk session ah 1767225600000 idle jsonl 1767225600000 {"a":[], "b":"x  y"}`,
		`1 m k member - 0 dnd hook 0 `, "1 m k claim t 0 dnd hook 0 {\"a\":\n\"\x00\"}", `1 m k claim t`, ``,
	} {
		want := "none"
		if p, ok := parseRecord(b.peer("p"), text); ok {
			want = formatRecord(p)
		}
		if got, err := b.rdb.Run(t.Context(), echo, nil, text).Text(); err != nil || got != want {
			t.Errorf("Lua reads %q, Go %q (%v)", got, want, err)
		}
	}
}
