package command

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

// wrote answers for something that was written, and says so where the broker
// can read it though nobody asked for that here.
func (o *sharing) wrote(m *share.Mesh, answer any, line ...string) error {
	if m.Clear && !o.clear {
		o.out.Say("left unsealed, as the owner of this mesh has it: the broker can read it")
	}
	return o.changed(answer, line...)
}

// changed answers for something that was done: in a line, if there is something
// to tell.
func (o *sharing) changed(answer any, line ...string) error {
	switch {
	case o.out.JSON:
		return o.out.Answer(answer)
	case len(line) > 0:
		return o.out.Line(line...)
	}
	return nil
}

// listed writes a table, or says that there is nothing.
func (o *sharing) listed(header []string, rows [][]string, nothing string) error {
	if len(rows) == 0 {
		o.out.Say("%s", nothing)
		return nil
	}
	return o.table(header, rows)
}

// brief is as much of an id as a person needs to name it.
func (o *sharing) brief(id string) string {
	const enough = 8
	if o.out.Terminal() && len(id) > enough {
		return ui.CleanLine(id[:enough])
	}
	return ui.CleanLine(id)
}

// typed is what a person wrote as an argument; - stands for standard input.
func (o *sharing) typed(argument string) (string, error) {
	if argument != "-" {
		return argument, nil
	}
	text, err := io.ReadAll(io.LimitReader(o.env.Stdin, wire.MaxFrame))
	if err != nil {
		return "", fmt.Errorf("standard input: %w", err)
	}
	return strings.TrimSuffix(string(text), "\n"), nil
}

// inDir is where a path leads that a person typed.
func (a *app) inDir(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(a.env.Dir, path)
}

// clearWord marks what the broker could read, and could have written.
func clearWord(o share.Origin) string {
	if o.Sealed {
		return ""
	}
	return "clear"
}

// sayClear is clearWord for what has no column.
func (o *sharing) sayClear(origin share.Origin) {
	if !origin.Sealed {
		o.out.Say("this was left unsealed: the broker can read it, and could have written it")
	}
}

// shown is somebody's text on one line, or why there is none.
func shown(text string, o share.Origin) string { return ui.CleanLine(shownText(text, o)) }

func shownText(text string, o share.Origin) string {
	if o.Problem != "" {
		return "(cannot be opened: " + o.Problem + ")"
	}
	return ui.Clean(text)
}

func unreadable(what string, o share.Origin) error {
	return ui.Failf("%s cannot be opened: %s", what, o.Problem).Hinted("ask who wrote it to write it again")
}

// minID is how much of an id names it.
const minID = 4

// byPrefix finds the id that begins with what a person typed.
func byPrefix(typed string, ids []string, what, list string) (string, error) {
	var found []string
	for _, id := range ids {
		if id == typed {
			return id, nil
		}
		if len(typed) >= minID && strings.HasPrefix(id, typed) {
			found = append(found, id)
		}
	}
	switch len(found) {
	case 0:
		return "", ui.Failf("there is no %s %q", what, typed).Hinted("%s shows ids; give %d characters or more", list, minID)
	case 1:
		return found[0], nil
	}
	return "", ui.Failf("several begin with %q", typed).Hinted("give more of the id: %s", strings.Join(found[:2], " or "))
}

// one wants a first argument and allows a second.
func one(first, second string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) > 1 {
			return exactly(first, second)(c, args)
		}
		return exactly(first)(c, args)
	}
}
