package presence

import (
	"crypto/rand"
	"strconv"
	"strings"
	"time"
)

// A record is a header of words, readable in Lua without decoding JSON, and
// the JSON that the edge made, which scripts hand on untouched: decoding and
// encoding it in Lua would turn empty lists into objects.
//
//	GEN MEMBER KEY KIND FLAGS CONNECTED_MS STATUS SOURCE STATUS_MS JSON
const recordFields = 10

// formatRecord is the inverse of parseRecord.
func formatRecord(p Presence) string {
	return strings.Join([]string{
		p.Generation, p.Member, p.Key, string(p.Kind), joinFlags(p), formatMillis(p.ConnectedAt),
		p.Status.Value, p.Status.Source, formatMillis(p.Status.At), string(p.Record),
	}, " ")
}

// parseRecord reads what the roster holds for p.
func parseRecord(p Peer, text string) (Presence, bool) {
	f := strings.SplitN(text, " ", recordFields)
	if len(f) != recordFields {
		return Presence{}, false
	}
	for _, word := range f[:recordFields-1] {
		if !isWord(word) {
			return Presence{}, false
		}
	}
	_, ok := parseCount(f[0])
	connected, okConnected := parseMillis(f[5])
	at, okStatus := parseMillis(f[8])
	out := Presence{
		Peer: p, Generation: f[0], Member: f[1], Key: f[2], Kind: Kind(f[3]), ConnectedAt: connected,
		Status: Status{Value: f[6], Source: f[7], At: at}, Record: []byte(f[9]),
	}
	okFlags := splitFlags(f[4], &out)
	return out, ok && okConnected && okStatus && okFlags
}

func joinFlags(p Presence) string {
	var b strings.Builder
	for _, f := range []struct {
		letter byte
		set    bool
	}{{'a', p.Announced}, {'t', p.Transient}, {'h', p.Hello}, {'e', p.Everyone}} {
		if f.set {
			b.WriteByte(f.letter)
		}
	}
	if b.Len() == 0 {
		return "-"
	}
	return b.String()
}

func splitFlags(flags string, p *Presence) bool {
	p.Announced = strings.Contains(flags, "a")
	p.Transient = strings.Contains(flags, "t")
	p.Hello = strings.Contains(flags, "h")
	p.Everyone = strings.Contains(flags, "e")
	return flags == "-" || strings.Trim(flags, "athe") == ""
}

// parseSaved reads "LASTSEENMS JSON".
func parseSaved(text string) (Saved, bool) {
	ms, record, _ := strings.Cut(text, " ")
	at, ok := parseMillis(ms)
	return Saved{LastSeen: at, Record: []byte(record)}, ok
}

func formatMillis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

func parseMillis(digits string) (time.Time, bool) {
	n, ok := parseCount(digits)
	return time.UnixMilli(n).UTC(), ok
}

// newEpoch makes a candidate for the epoch of a journal that has none.
func newEpoch() string { return rand.Text()[:8] }
