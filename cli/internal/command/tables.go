package command

import "time"

// table writes rows like the printer's, without the columns that a person would
// find empty. Programs find every column where it always is.
func (a *app) table(header []string, rows [][]string) error {
	if !a.out.Terminal() {
		return a.out.Table(header, rows)
	}
	var names []string
	lines := make([][]string, len(rows))
	for column, name := range header {
		said := false
		for _, row := range rows {
			said = said || row[column] != ""
		}
		if !said {
			continue
		}
		names = append(names, name)
		for i, row := range rows {
			lines[i] = append(lines[i], row[column])
		}
	}
	return a.out.Table(names, lines)
}

// usual leaves out on a terminal what goes without saying.
func (a *app) usual(value, usual string) string {
	if a.out.Terminal() && value == usual {
		return ""
	}
	return value
}

// when is a time as a person reads it, or as a program does.
func (a *app) when(t time.Time) string {
	switch {
	case t.IsZero():
		return ""
	case a.out.Terminal():
		return t.Local().Format("2006-01-02 15:04")
	}
	return stamp(t)
}

// day is when without the hour, where a person has more to read.
func (a *app) day(t time.Time) string {
	if a.out.Terminal() && !t.IsZero() {
		return t.Local().Format(time.DateOnly)
	}
	return a.when(t)
}
