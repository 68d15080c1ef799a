package bench

import (
	"fmt"
	"io"
	"slices"
	"strconv"
)

// A series is one figure, measured several times.
type series []float64

// median is the middle one, or the lower of the two in the middle.
func (s series) median() float64 { return s.percentile(50) }

func (s series) percentile(p int) float64 {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[(len(sorted)-1)*p/100]
}

// over divides what was measured in the same round.
func (s series) over(by series) series {
	out := make(series, 0, len(s))
	for i := range min(len(s), len(by)) {
		if by[i] != 0 {
			out = append(out, s[i]/by[i])
		}
	}
	return out
}

// show writes the median and, if there were several, the range.
func (s series) show(unit string) string {
	if len(s) == 0 {
		return "–"
	}
	text := figure(s.median())
	if unit != "" {
		text += " " + unit
	}
	if len(s) > 1 {
		text += " (" + figure(slices.Min(s)) + "–" + figure(slices.Max(s)) + ")"
	}
	return text
}

// figure writes a number with three digits that count.
func figure(x float64) string {
	switch {
	case x >= 100 || x <= -100:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case x >= 10 || x <= -10:
		return strconv.FormatFloat(x, 'f', 1, 64)
	default:
		return strconv.FormatFloat(x, 'f', 2, 64)
	}
}

// A row is one line of the table.
type row struct {
	figure  string
	unit    string
	ours    series
	against string // what bare is
	bare    series // empty where there is nothing to compare with
	goals   []goal
}

// A goal bounds the ratio or the figure itself.
type goal struct {
	of    kind
	least bool // otherwise at most
	limit float64
}

type kind int

const (
	ratio kind = iota
	value
)

func atMost(of kind, limit float64) goal  { return goal{of: of, limit: limit} }
func atLeast(of kind, limit float64) goal { return goal{of: of, least: true, limit: limit} }

func (g goal) met(x float64) bool {
	if g.least {
		return x >= g.limit
	}
	return x <= g.limit
}

func (g goal) show(unit string) string {
	text := "≤ "
	if g.least {
		text = "≥ "
	}
	text += strconv.FormatFloat(g.limit, 'f', -1, 64)
	if g.of == ratio {
		return text + " ×"
	}
	if unit != "" {
		text += " " + unit
	}
	return text
}

// verdict tells the goals, and whether the medians meet them.
func (r row) verdict() (goals, met string) {
	met = "yes"
	for _, g := range r.goals {
		if goals != "" {
			goals += ", "
		}
		goals += g.show(r.unit)
		x := r.ours
		if g.of == ratio {
			x = r.ours.over(r.bare)
		}
		if !g.met(x.median()) {
			met = "NO"
		}
	}
	if len(r.goals) == 0 {
		return "–", "–"
	}
	return goals, met
}

func printHead(w io.Writer) {
	fmt.Fprintln(w, "| | figure | measured | held against | ratio | goal | met |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|")
}

func (r row) print(w io.Writer, section string) {
	against := "–"
	if len(r.bare) > 0 {
		against = r.against + ": " + r.bare.show(r.unit)
	} else if r.against != "" {
		against = r.against
	}
	goals, met := r.verdict()
	fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s |\n",
		section, r.figure, r.ours.show(r.unit), against, r.ours.over(r.bare).show(""), goals, met)
}
