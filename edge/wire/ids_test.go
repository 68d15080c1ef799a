package wire_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/edge/wire"
)

func TestMessageIdsSortAndReadBackAsTheirNumbers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.Uint64Range(0, 62*62*62*62*62*62*62-1).Draw(t, "a")
		b := rapid.Uint64Range(0, 62*62*62*62*62*62*62-1).Draw(t, "b")
		idA := wire.MessageID(wire.KindDirect, a, wire.NewMessageTail())
		idB := wire.MessageID(wire.KindDirect, b, wire.NewMessageTail())
		kind, seq, ok := wire.ParseMessageID(idA[:wire.MinMessagePrefix])
		if !ok || kind != wire.KindDirect || seq != a {
			t.Fatalf("%s reads back as %c %d, want %d", idA, kind, seq, a)
		}
		if a < b && idA >= idB {
			t.Fatalf("%d < %d, but %s >= %s", a, b, idA, idB)
		}
	})
}

func TestANumberThatDoesNotFitMakesNoId(t *testing.T) {
	t.Parallel()
	if id := wire.MessageID(wire.KindDirect, 62*62*62*62*62*62*62, wire.NewMessageTail()); id != "" {
		t.Errorf("id = %s", id)
	}
	if id := wire.MessageID(wire.KindDirect, 0, "short"); id != "" {
		t.Errorf("id = %s", id)
	}
	if id := wire.MessageID(wire.KindJournal, 61, wire.NewMessageTail()); id[:8] != "j000000z" {
		t.Errorf("id = %s", id)
	}
	for _, id := range []string{"", "d000000", "x0000000", "d000000-", wire.NewID(33)} {
		if _, _, ok := wire.ParseMessageID(id); ok {
			t.Errorf("%q is taken for a message id", id)
		}
	}
}

func TestIdsAreBase62AndDiffer(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		id := wire.NewID(wire.LongID)
		if !wire.IsMeshID(id) || seen[id] {
			t.Fatalf("id = %q", id)
		}
		seen[id] = true
	}
	if got := wire.NewID(wire.ShortID); len(got) != 12 {
		t.Errorf("id = %q", got)
	}
}

func TestCursorsReadBack(t *testing.T) {
	t.Parallel()
	for _, c := range []wire.Cursor{
		{Epoch: "3kXw9aQ1", Seq: 17, ID: "j000000Hfu7Px9aQ1Zk8m2Qw4Er6Ty8U"},
		{Epoch: "3kXw9aQ1", Seq: 18, ID: "0f0e1d2c-3b4a-5968-7788-99aabbccddee"},
		{Epoch: "3kXw9aQ1"},
	} {
		if got, err := wire.ParseCursor(c.String()); err != nil || got != c {
			t.Errorf("%s reads back as %+v, %v", c, got, err)
		}
	}
	for _, s := range []string{
		"", "3kXw9aQ1/17", "3kXw9aQ1/-1/j", "3kXw9aQ1/01/j", "short/1/j", "3kXw9aQ1/1/j/k", "3kXw9aQ1/1/j k",
		"3kXw9aQ1/9007199254740992/j",
	} {
		if c, err := wire.ParseCursor(s); err == nil {
			t.Errorf("%q is taken for %+v", s, c)
		}
	}
	if !(wire.Cursor{}).IsZero() {
		t.Error("the empty cursor names no place")
	}
}

func TestTheHTTPAddressIsTheWebSocketAddressWithoutItsPath(t *testing.T) {
	t.Parallel()
	for webSocket, want := range map[string]string{
		"wss://edge.example/ws":          "https://edge.example",
		"ws://127.0.0.1:7900/ws":         "http://127.0.0.1:7900",
		"wss://edge.example/ws/":         "https://edge.example",
		"wss://edge.example":             "https://edge.example",
		"wss://edge.example/mesh/ws?x=1": "https://edge.example/mesh",
		"https://edge.example/ws":        "https://edge.example",
		"ftp://edge.example":             "",
		"edge.example":                   "",
		"wss:///ws":                      "",
		"wss://edge.example/\x7f":        "",
	} {
		if got, err := wire.HTTPAddress(webSocket); got != want || (err == nil) != (want != "") {
			t.Errorf("address of %q = %q, %v; want %q", webSocket, got, err, want)
		}
	}
}

func TestAGroupHearsItsParentsNames(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]bool{
		"@eng/core/api": true, "@eng/core": true, "@eng": true,
		"@en": false, "@eng/co": false, "@eng/core/api/v2": false, "@": false, "*": false, "eng": false,
	} {
		if got := wire.GroupMatches("eng/core/api", target); got != want {
			t.Errorf("%s is heard = %v, want %v", target, got, want)
		}
	}
}

func TestAudienceIsWhatTheJournalKnows(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]string{
		"*": "*", "@all": "*", "@eng": "@eng", "@": "", "#topic": "", "Bob": "",
	} {
		if got := wire.ClassifyTarget(spec).Audience(); got != want {
			t.Errorf("audience of %s = %q, want %q", spec, got, want)
		}
	}
}

func TestSafetyNumbersNeedKeys(t *testing.T) {
	t.Parallel()
	if n, err := wire.SafetyNumber("x", wire.PublicKey(key(1))); err == nil {
		t.Errorf("number = %s", n)
	}
}

func TestCanonicalJSONIsOneValue(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		`{"b":1,"4294967295":1,"4294967294":1,"0":1,"00":1}`: `{"0":1,"4294967294":1,"00":1,"4294967295":1,"b":1}`,
		`{"\ud83d\ude00":1,"\uff5e":2}`:                      `{"😀":1,"～":2}`, // by UTF-16 units
		`[1.0,-0,1e-6,1e-7,123456789012345680000,1e400]`:     `[1,0,0.000001,1e-7,123456789012345680000,null]`,
		`"\u0001\u007f\b\f\n\r\t\/"`:                         `"\u0001` + "\x7f" + `\b\f\n\r\t/"`,
		`true`:                                               `true`,
	} {
		if got, err := wire.CanonicalJSON([]byte(value)); err != nil || string(got) != want {
			t.Errorf("%s = %s, %v; want %s", value, got, err, want)
		}
	}
	for _, value := range []string{``, `{`, `1 2`, `[1] x`, `1 ]`} {
		if got, err := wire.CanonicalJSON([]byte(value)); err == nil {
			t.Errorf("%q = %s, want an error", value, got)
		}
	}
	r := wire.SendRequest{Destination: "*", Meta: []byte(`{`)}
	if _, err := r.Fingerprint(); err == nil {
		t.Error("meta must be JSON")
	}
}
