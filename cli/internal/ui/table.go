package ui

import (
	"strings"
	"unicode"
)

const (
	gap       = 2  // blanks between two columns
	narrowest = 8  // what a column is not squeezed below
	lastLeast = 16 // what the last one is squeezed to before the others are
)

// Table writes rows: aligned under a header on a terminal, and no wider than
// that; tab-separated and without a header in a pipe.
func (p *Printer) Table(header []string, rows [][]string) error {
	if p.terminal {
		return p.write(p.layout(header, rows, p.Width()))
	}
	var b strings.Builder
	for _, row := range rows {
		b.WriteString(tsv(row))
	}
	return p.write(b.String())
}

// layout aligns rows under a header within a width; 0 is any.
func (p *Printer) layout(header []string, rows [][]string, width int) string {
	lines := Lines(header, rows, width)
	lines[0] = p.Dim(lines[0])
	return strings.Join(lines, "\n") + "\n"
}

// Lines aligns rows under a header within a width; 0 is any. The first line is
// the header.
func Lines(header []string, rows [][]string, width int) []string {
	columns := fit(header, rows, width)
	lines := []string{joined(header, columns)}
	for _, row := range rows {
		lines = append(lines, joined(row, columns))
	}
	return lines
}

// fit returns how wide each column is: the last squeezed first, because what is
// longest and least needed stands there, then the widest, until all fit.
func fit(header []string, rows [][]string, width int) []int {
	columns := make([]int, len(header))
	for _, row := range append([][]string{header}, rows...) {
		for i, cell := range row {
			columns[i] = max(columns[i], Width(cell))
		}
	}
	total := gap * (len(columns) - 1)
	for _, c := range columns {
		total += c
	}
	for ; width > 0 && total > width; total-- {
		widest := len(columns) - 1
		if columns[widest] <= lastLeast {
			for i, c := range columns {
				if c > columns[widest] {
					widest = i
				}
			}
		}
		if columns[widest] <= narrowest {
			break
		}
		columns[widest]--
	}
	return columns
}

// joined writes cells beside each other, each in its width.
func joined(cells []string, widths []int) string {
	var b strings.Builder
	for i, cell := range cells {
		cell = Cut(cell, widths[i])
		b.WriteString(cell)
		if i < len(cells)-1 {
			b.WriteString(strings.Repeat(" ", widths[i]-Width(cell)+gap))
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// Cut shortens a text to a width; an ellipsis tells that it did.
func Cut(text string, width int) string {
	if Width(text) <= width {
		return text
	}
	var b strings.Builder
	used := 1 // the ellipsis
	for _, r := range text {
		if used += runeWidth(r); used > width {
			break
		}
		b.WriteRune(r)
	}
	if width < 1 {
		return ""
	}
	return strings.TrimRight(b.String(), " ") + "…"
}

// Width returns how many places of a terminal a text takes.
func Width(text string) int {
	n := 0
	for _, r := range text {
		n += runeWidth(r)
	}
	return n
}

// wide are the characters that take two places: those of East Asia, and
// pictures.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x1100, Hi: 0x115f, Stride: 1},
		{Lo: 0x2e80, Hi: 0x303e, Stride: 1},
		{Lo: 0x3041, Hi: 0xa4cf, Stride: 1},
		{Lo: 0xac00, Hi: 0xd7a3, Stride: 1},
		{Lo: 0xf900, Hi: 0xfaff, Stride: 1},
		{Lo: 0xfe30, Hi: 0xfe6f, Stride: 1},
		{Lo: 0xff00, Hi: 0xff60, Stride: 1},
		{Lo: 0xffe0, Hi: 0xffe6, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x1f300, Hi: 0x1f64f, Stride: 1},
		{Lo: 0x1f680, Hi: 0x1f6ff, Stride: 1},
		{Lo: 0x1f900, Hi: 0x1faff, Stride: 1},
		{Lo: 0x20000, Hi: 0x3fffd, Stride: 1},
	},
}

func runeWidth(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case unicode.Is(wide, r):
		return 2
	}
	return 1
}

// Wrap breaks the paragraphs of a text at a width. Lines that begin with a
// blank stay as they are.
func Wrap(text string, width int) string {
	var lines []string
	open := false // the last line may be continued
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" || strings.HasPrefix(line, " ") {
			lines, open = append(lines, line), false
			continue
		}
		for word := range strings.FieldsSeq(line) {
			last := len(lines) - 1
			if open && Width(lines[last])+1+Width(word) <= width {
				lines[last] += " " + word
			} else {
				lines, open = append(lines, word), true
			}
		}
	}
	return strings.Join(lines, "\n")
}
