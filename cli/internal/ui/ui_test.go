package ui

import (
	"bytes"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func newTest(terminal, color bool) (*Printer, *bytes.Buffer, *bytes.Buffer) {
	var out, err bytes.Buffer
	p := New(&out, &err, func(string) string { return "" })
	p.terminal, p.color = terminal, color
	return p, &out, &err
}

func TestWhatOthersWroteCannotSteerTheTerminal(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain ✓ 🚀":                    "plain ✓ 🚀",
		"red \x1b[31mtext":             "red [31mtext",
		"bell\a back\b del\x7f cr\r":   "bell back del cr",
		"c1 \u009b31m":                 "c1 31m",
		"two\nlines\tand tab":          "two\nlines\tand tab",
		"turned \u202etxet\u202c":      "turned txet",
		"isolate \u2066x\u2069":        "isolate x",
		"separators a\u2028b\u2029c":   "separators abc",
		"not UTF-8 \xff\xfe":           "not UTF-8 \uFFFD",
		"title \x1b]0;pwned\a \x00nul": "title ]0;pwned nul",
		// What nobody sees makes one name look like another, and can carry a text
		// to a program that reads it.
		"bo\u200bb so\u00adft \ufeffBOM\u2060": "bob soft BOM",
		"tags \U000E0049\U000E0067x\U000E007F": "tags x",
		"bytes ✓\U000E0100\U000E01EF \ufffb":   "bytes ✓ ",
		// These are seen: they join letters and pictures, and colour the latter.
		"می\u200cخواهم 👩\u200d💻 ❤\ufe0f": "می\u200cخواهم 👩\u200d💻 ❤\ufe0f",
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
	if got := CleanLine(" a\n\tb  c "); got != "a b c" {
		t.Errorf("CleanLine: %q", got)
	}
}

func TestAPipeGetsTabsAndATerminalGetsATable(t *testing.T) {
	t.Parallel()
	rows := [][]string{{"Bob", "idle"}, {"a\tb", "two\nlines \\"}}
	p, out, _ := newTest(false, false)
	if err := p.Table([]string{"NAME", "STATUS"}, rows); err != nil {
		t.Fatal(err)
	}
	if want := "Bob\tidle\na\\tb\ttwo\\nlines \\\\\n"; out.String() != want {
		t.Errorf("pipe gets %q", out)
	}
	p, out, _ = newTest(true, false)
	if err := p.Table([]string{"NAME", "STATUS"}, rows[:1]); err != nil {
		t.Fatal(err)
	}
	if want := "NAME  STATUS\nBob   idle\n"; out.String() != want {
		t.Errorf("terminal gets %q", out)
	}
}

func TestARefusalIsTwoLinesOnStderr(t *testing.T) {
	t.Parallel()
	p, out, err := newTest(true, true)
	p.Fail(Failf("no mesh %s", "joined\x1b").Hinted("claudemesh join LINK"))
	if err.String() != "claudemesh: no mesh joined\nhint: claudemesh join LINK\n" || out.Len() > 0 {
		t.Errorf("wrote %q and %q", err, out)
	}
}

func TestColoursAreForTerminalsOnly(t *testing.T) {
	t.Parallel()
	p, _, _ := newTest(true, true)
	if got := p.Bold("x"); got != "\x1b[1mx\x1b[0m" {
		t.Errorf("in colour: %q", got)
	}
	p, _, _ = newTest(false, false)
	if p.Bold("x")+p.Dim("y") != "xy" {
		t.Error("a pipe gets escapes")
	}
}

func TestJSONStaysOnOneLineAndUnescaped(t *testing.T) {
	t.Parallel()
	p, out, _ := newTest(false, false)
	if err := p.Answer(map[string]string{"text": "a<b>&\nc"}); err != nil {
		t.Fatal(err)
	}
	if out.String() != `{"text":"a<b>&\nc"}`+"\n" {
		t.Errorf("wrote %q", out)
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\x1b[0m\u202e\xff")
	f.Fuzz(func(t *testing.T, text string) {
		got := Clean(text)
		bad := func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }
		if !utf8.ValidString(got) || strings.ContainsFunc(got, bad) {
			t.Errorf("Clean(%q) = %q", text, got)
		}
	})
}
