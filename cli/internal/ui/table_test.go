package ui

import (
	"strings"
	"testing"
	"time"
)

func TestATableIsNoWiderThanTheTerminal(t *testing.T) {
	t.Parallel()
	header := []string{"NAME", "STATUS", "SUMMARY"}
	rows := [][]string{
		{"アリス", "idle", strings.Repeat("long ", 40)},
		{strings.Repeat("n", 60), "working", "e\u0301lan"},
	}
	for _, width := range []int{40, 80, 200} {
		for _, line := range Lines(header, rows, width) {
			if Width(line) > width {
				t.Errorf("at %d: %q takes %d", width, line, Width(line))
			}
		}
	}
	if lines := Lines(header, rows[:1], 0); !strings.HasSuffix(lines[1], strings.TrimSpace(rows[0][2])) {
		t.Errorf("without a width: %q", lines[1])
	}
	lines := Lines([]string{"A", "B"}, [][]string{{"日本", "x"}, {"ab", "y"}}, 80)
	if lines[1] != "日本  x" || lines[2] != "ab    y" {
		t.Errorf("columns do not stand beneath each other: %q", lines)
	}
}

func TestACardWithAKeyFitsIntoAnOrdinaryTerminal(t *testing.T) {
	t.Parallel()
	p, _, _ := newTest(true, false)
	names, key := []string{"name", "self-editable", "owner"}, strings.Repeat("a", 64)
	for terminal, want := range map[int]string{80: "owner          " + key, 200: "  owner          " + key} {
		for line := range strings.Lines(p.card(names, []string{"Acme", "all", key}, terminal)) {
			if line = strings.TrimSuffix(line, "\n"); Width(line) > terminal || strings.Contains(line, key) && line != want {
				t.Errorf("at %d: %d columns: %q", terminal, Width(line), line)
			}
		}
	}
}

func TestATextIsCutAtAWholeCharacter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{
		{"short", 5, "short"}, {"shorter", 5, "shor…"}, {"日本語", 4, "日…"}, {"a b c", 3, "a…"}, {"x", 0, ""}, {"ab", 1, "…"},
	} {
		if got := Cut(c.text, c.width); got != c.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", c.text, c.width, got, c.want)
		}
	}
}

func TestParagraphsAreBrokenAndListsAreNot(t *testing.T) {
	t.Parallel()
	text := "one two three four\nfive\n\n  a list stays as it is, however long\nsix"
	want := "one two\nthree four\nfive\n\n  a list stays as it is, however long\nsix"
	if got := Wrap(text, 10); got != want {
		t.Errorf("%q", got)
	}
}

func TestACodeIsSquareAndQuietAround(t *testing.T) {
	t.Parallel()
	p, _, _ := newTest(true, false)
	code, err := p.QR("02053 73637")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(code, "\n"), "\n")
	if width := Width(lines[0]); width != 25 || len(lines) != 13 || strings.Trim(lines[0], "█") != "" {
		t.Errorf("%d by %d: %q", width, len(lines), lines[0])
	}
}

func TestACardNamesItsValuesToPeopleOnly(t *testing.T) {
	t.Parallel()
	p, out, _ := newTest(true, false)
	if err := p.Card([]string{"mesh", "id"}, []string{"demo", "M1"}); err != nil || out.String() != "  mesh  demo\n  id    M1\n" {
		t.Errorf("%q, %v", out, err)
	}
	p, out, _ = newTest(false, false)
	if err := p.Card([]string{"mesh", "id"}, []string{"demo", "M1"}); err != nil || out.String() != "demo\tM1\n" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestWhatTakesLongIsToldAndWiped(t *testing.T) {
	t.Parallel()
	p, _, err := newTest(true, false)
	p.picture("⠋ waiting")
	p.Say("heard")
	p.picture("⠙ waiting")
	p.picture("")
	if got, want := err.String(), "⠋ waiting\r\x1b[Kclaudemesh: heard\n⠙ waiting\r\x1b[K"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	stop := p.spin("soon", time.Hour)
	stop()
	stop()
	p.Busy("a pipe is told nothing")()
	if err.Len() != len("⠋ waiting\r\x1b[Kclaudemesh: heard\n⠙ waiting\r\x1b[K") {
		t.Errorf("%q", err)
	}
}
