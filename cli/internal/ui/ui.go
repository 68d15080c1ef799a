package ui

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// Printer writes answers and talk. It may be used by several goroutines.
type Printer struct {
	JSON bool // answers are JSON

	mu       sync.Mutex // one line at a time
	out, err io.Writer
	terminal bool // out is one
	color    bool
}

// New returns a printer. NO_COLOR and TERM=dumb switch colours off, as does an
// output that is no terminal.
func New(out, err io.Writer, getenv func(string) string) *Printer {
	terminal := isTerminal(out)
	return &Printer{
		out: out, err: err, terminal: terminal,
		color: terminal && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb",
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

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

// Table writes rows: aligned under a header on a terminal, tab-separated and
// without one in a pipe.
func (p *Printer) Table(header []string, rows [][]string) error {
	var b strings.Builder
	if !p.terminal {
		for _, row := range rows {
			b.WriteString(tsv(row))
		}
		return p.write(b.String())
	}
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(header, "\t"))
	for _, row := range rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("ui: table: %w", err)
	}
	return p.write(b.String())
}

func (p *Printer) write(text string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := io.WriteString(p.out, text); err != nil {
		return fmt.Errorf("ui: write: %w", err)
	}
	return nil
}

// Say talks to the person on stderr. What it says may quote others.
func (p *Printer) Say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.err, "claudemesh: %s\n", Clean(fmt.Sprintf(format, args...)))
}

// Fail reports a refusal.
func (p *Printer) Fail(f *Failure) {
	p.Say("%s", f.Message)
	if f.Hint != "" {
		p.mu.Lock()
		defer p.mu.Unlock()
		fmt.Fprintf(p.err, "hint: %s\n", Clean(f.Hint))
	}
}

// Bold sets text off on a terminal.
func (p *Printer) Bold(text string) string { return p.style("1", text) }

// Dim sets text back on a terminal.
func (p *Printer) Dim(text string) string { return p.style("2", text) }

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
// characters but for tab and line feed, and those that turn the direction of
// writing. Bytes that are no UTF-8 become U+FFFD.
func Clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029':
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, string(utf8.RuneError)))
}

// CleanLine is [Clean] for what must stay on one line, such as a name.
func CleanLine(text string) string {
	return strings.Join(strings.Fields(Clean(text)), " ")
}
