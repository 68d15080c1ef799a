package ui

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// Printer writes answers and talk. It may be used by several goroutines.
type Printer struct {
	JSON bool // answers are JSON

	// Fixed by New.
	terminal     bool // out is one
	talkTerminal bool // err is one
	color        bool
	out, err     io.Writer

	mu       sync.Mutex // held for one output; guards the following
	pictured bool       // a line that tells what takes long is on the terminal
}

// New returns a printer. NO_COLOR and TERM=dumb switch colours off, as does an
// output that is no terminal.
func New(out, err io.Writer, getenv func(string) string) *Printer {
	terminal := isTerminal(out)
	return &Printer{
		out: out, err: err, terminal: terminal,
		color:        terminal && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb",
		talkTerminal: isTerminal(err) && getenv("TERM") != "dumb",
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && IsTerminal(f)
}

// IsTerminal reports whether a person is at the other end of a file.
func IsTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// Color reports whether answers may be coloured.
func (p *Printer) Color() bool { return p.color }

// Terminal reports whether a person reads the answers.
func (p *Printer) Terminal() bool { return p.terminal }

// Answer writes a JSON object on one line.
func (p *Printer) Answer(v any) error {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("ui: answer: %w", err)
	}
	return p.write(b.String())
}

// Line writes fields of an answer: apart on a terminal, tab-separated in a pipe.
func (p *Printer) Line(fields ...string) error {
	if p.terminal {
		return p.write(strings.Join(fields, "  ") + "\n")
	}
	return p.write(tsv(fields))
}

// Text writes an answer that is laid out already.
func (p *Printer) Text(text string) error { return p.write(text) }

// Card writes what belongs together: a line each with its name on a terminal,
// one tab-separated line in a pipe.
func (p *Printer) Card(names, values []string) error {
	if !p.terminal {
		return p.write(tsv(values))
	}
	return p.write(p.card(names, values, p.Width()))
}

// card goes to the edge where a key would otherwise not fit into the terminal.
func (p *Printer) card(names, values []string, terminal int) string {
	indent, width, widest := "  ", 0, 0
	for i, name := range names {
		width, widest = max(width, Width(name)), max(widest, Width(values[i]))
	}
	if terminal > 0 && len(indent)+width+gap+widest > terminal {
		indent = ""
	}
	var b strings.Builder
	for i, name := range names {
		b.WriteString(indent + p.Dim(name) + strings.Repeat(" ", width-Width(name)+gap) + values[i] + "\n")
	}
	return b.String()
}

// Facts writes what is known of one thing: a line each with its name, which
// stands in front also in a pipe.
func (p *Printer) Facts(facts [][2]string) error {
	if p.terminal {
		var names, values []string
		for _, f := range facts {
			names, values = append(names, f[0]), append(values, f[1])
		}
		return p.Card(names, values)
	}
	var b strings.Builder
	for _, f := range facts {
		b.WriteString(tsv(f[:]))
	}
	return p.write(b.String())
}

// Width returns how many characters a line of the terminal takes; 0 if there is
// none.
func (p *Printer) Width() int { return widthOf(p.out) }

// talkWidth is [Printer.Width] of where we talk. A pipe gets lines as they are.
func (p *Printer) talkWidth() int {
	if width := widthOf(p.err); width > 0 {
		return width
	}
	return math.MaxInt
}

func widthOf(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

func (p *Printer) write(text string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wipe()
	if _, err := io.WriteString(p.out, text); err != nil {
		return fmt.Errorf("ui: write: %w", err)
	}
	return nil
}

// Say talks to the person on stderr. What it says may quote others.
func (p *Printer) Say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wipe()
	fmt.Fprintln(p.err, Wrap(Clean("claudemesh: "+fmt.Sprintf(format, args...)), p.talkWidth()))
}

// Fail reports a refusal.
func (p *Printer) Fail(f *Failure) {
	p.Say("%s", f.Message)
	if f.Hint != "" {
		p.mu.Lock()
		defer p.mu.Unlock()
		fmt.Fprintln(p.err, Wrap(Clean("hint: "+f.Hint), p.talkWidth()))
	}
}

// Bold sets text off on a terminal.
func (p *Printer) Bold(text string) string { return p.style("1", text) }

// Dim sets text back on a terminal.
func (p *Printer) Dim(text string) string { return p.style("2", text) }

// Mark colours a sign by what it stands for: ok, warning or failed.
func (p *Printer) Mark(meaning, sign string) string {
	code, ok := map[string]string{"ok": "32", "warning": "33", "failed": "31"}[meaning]
	if !ok {
		return sign
	}
	return p.style(code, sign)
}

func (p *Printer) style(code, text string) string {
	if !p.color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// tsvEscapes keeps a field on its line and in its column.
var tsvEscapes = strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`)

func tsv(fields []string) string {
	escaped := make([]string, len(fields))
	for i, f := range fields {
		escaped[i] = tsvEscapes.Replace(f)
	}
	return strings.Join(escaped, "\t") + "\n"
}

// Clean removes what a text could do to a terminal or to its reader: control
// characters but for tab and line feed, those that turn the direction of
// writing, and those that nobody sees. Bytes that are no UTF-8 become U+FFFD.
func Clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), unicode.Is(unseen, r), r == '\u2028', r == '\u2029':
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, string(utf8.RuneError)))
}

// unseen are characters without a picture, by which one name looks like another
// and a text holds more than people see. Joiners are not among them: languages
// and pictures need those.
var unseen = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x00ad, Hi: 0x00ad, Stride: 1}, // soft hyphen
		{Lo: 0x180e, Hi: 0x180e, Stride: 1}, // vowel separator
		{Lo: 0x200b, Hi: 0x200b, Stride: 1}, // blank without width
		{Lo: 0x2060, Hi: 0x206f, Stride: 1}, // word joiner, invisible operators
		{Lo: 0xfeff, Hi: 0xfeff, Stride: 1}, // byte order mark
		{Lo: 0xfff9, Hi: 0xfffb, Stride: 1}, // annotations
	},
	R32:         []unicode.Range32{{Lo: 0xe0000, Hi: 0xe0fff, Stride: 1}}, // tags, and variants that spell bytes
	LatinOffset: 1,
}

// CleanLine is [Clean] for what must stay on one line, such as a name.
func CleanLine(text string) string {
	return strings.Join(strings.Fields(Clean(text)), " ")
}
