package command

import (
	"cmp"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

type skillOptions struct {
	sharing
	skill share.Skill
}

func newSkill(a *app) *cobra.Command {
	o := &skillOptions{sharing: sharing{app: a}}
	c := &cobra.Command{
		Use:   "skill",
		Short: "Share instructions for agents, and fetch those of others",
		Long: "Share instructions for agents, and fetch those of others. Descriptions, tags and instructions are sealed for\n" +
			"the members of the mesh; names are not.\n\n" +
			"Read a skill of somebody else before an agent follows it: it is what its author wants done.",
		Example: "  claudemesh skill share release/SKILL.md\n  claudemesh skill get release > SKILL.md",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	set := o.sub(&cobra.Command{
		Use: "share FILE", Short: "Give the mesh a skill", Args: exactly("FILE"),
		Long: "Give the mesh a skill, in place of yours of that name. FILE holds the instructions; between two lines of ---\n" +
			"at its top it may have name: and description:, as a SKILL.md has. - reads standard input.",
		RunE: func(c *cobra.Command, args []string) error { return o.share(c.Context(), args[0]) },
	}, true)
	set.Flags().StringVar(&o.skill.Name, "name", "", "the `NAME` (default that in the file, or the file's)")
	set.Flags().StringVar(&o.skill.Description, "description", "", "what it is for, in a `SENTENCE`")
	set.Flags().StringSliceVar(&o.skill.Tags, "tag", nil, "a `WORD` to find it by (may be repeated)")
	c.AddCommand(
		set,
		o.sub(&cobra.Command{
			Use: "get NAME", Short: "Show a skill's instructions", Args: exactly("NAME"),
			RunE: func(c *cobra.Command, args []string) error { return o.get(c.Context(), args[0]) },
		}, false),
		o.sub(&cobra.Command{
			Use: "list [QUERY]", Short: "Show the skills of the mesh", Args: atMost("QUERY"),
			RunE: func(c *cobra.Command, args []string) error { return o.list(c.Context(), strings.Join(args, "")) },
		}, false),
		o.sub(&cobra.Command{
			Use: "remove NAME", Short: "Take a skill back", Args: exactly("NAME"),
			RunE: func(c *cobra.Command, args []string) error { return o.remove(c.Context(), args[0]) },
		}, false),
	)
	return c
}

func (o *skillOptions) share(ctx context.Context, path string) error {
	text, err := o.file(path)
	if err != nil {
		return err
	}
	s := parseSkill(text)
	s.Name = cmp.Or(o.skill.Name, s.Name, fileName(path))
	s.Description = cmp.Or(o.skill.Description, s.Description)
	s.Tags = o.skill.Tags
	if s.Name == "" {
		return ui.Usagef("the skill has no name").Hinted("--name NAME, or name: at the top of the file")
	}
	return o.shared(ctx, func(ctx context.Context, m *share.Mesh) error {
		if err := m.ShareSkill(ctx, s); err != nil {
			return err
		}
		return o.wrote(m, map[string]any{"ok": true, "name": s.Name, "sealed": !m.Clear}, s.Name)
	})
}

// file reads a file that the person names; - is standard input.
func (o *skillOptions) file(path string) (string, error) {
	if path == "-" {
		return o.typed(path)
	}
	f, err := os.Open(o.inDir(path))
	if err != nil {
		return "", fileFailure(err).Hinted("claudemesh skill share FILE")
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, wire.MaxInstructions+1))
	if err != nil {
		return "", fileFailure(err).Hinted("claudemesh skill share FILE")
	}
	return string(text), nil
}

// fileName is what a skill is called by its file: SKILL.md by its directory.
func fileName(path string) string {
	if path == "-" {
		return ""
	}
	name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	if !strings.EqualFold(name, "skill") {
		return name
	}
	if dir := filepath.Base(filepath.Dir(path)); dir != "." && dir != "/" {
		return dir
	}
	return ""
}

// parseSkill reads the name and the description at the top of a file. The
// instructions are the whole file: agents know the top.
func parseSkill(text string) share.Skill {
	s := share.Skill{Instructions: text}
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	if lines[0] != "---" {
		return s
	}
	for _, line := range lines[1:] {
		if line == "---" {
			break
		}
		name, value, ok := strings.Cut(line, ":")
		if value = strings.Trim(strings.TrimSpace(value), `"'`); !ok || value == "" {
			continue
		}
		switch name {
		case "name":
			s.Name = value
		case "description":
			s.Description = value
		}
	}
	return s
}

func (o *skillOptions) get(ctx context.Context, name string) error {
	return o.shared(ctx, func(ctx context.Context, m *share.Mesh) error {
		s, ok, err := m.Skill(ctx, name)
		switch {
		case err != nil:
			return err
		case !ok:
			return noSkill(name)
		case o.out.JSON:
			return o.out.Answer(s)
		case s.Problem != "":
			return unreadable("the skill", s.Origin)
		}
		o.out.Say("by %s, %s", ui.CleanLine(s.By), o.when(s.At))
		o.sayClear(s.Origin)
		return o.out.Text(strings.TrimRight(ui.Clean(s.Instructions), "\n") + "\n")
	})
}

func noSkill(name string) error {
	return ui.Failf("there is no skill %q", name).Hinted("claudemesh skill list shows those there are")
}

func (o *skillOptions) list(ctx context.Context, query string) error {
	return o.shared(ctx, func(ctx context.Context, m *share.Mesh) error {
		skills, err := m.Skills(ctx, query)
		if err != nil {
			return err
		}
		if o.out.JSON {
			return o.out.Answer(map[string]any{"skills": skills})
		}
		var rows [][]string
		for i := range skills {
			s := &skills[i]
			rows = append(rows, []string{
				ui.CleanLine(s.Name), ui.CleanLine(s.By), o.when(s.At), ui.CleanLine(strings.Join(s.Tags, ", ")),
				clearWord(s.Origin), shown(s.Description, s.Origin),
			})
		}
		return o.listed([]string{"NAME", "BY", "WHEN", "TAGS", "CLEAR", "DESCRIPTION"}, rows, "there are no such skills")
	})
}

func (o *skillOptions) remove(ctx context.Context, name string) error {
	return o.shared(ctx, func(ctx context.Context, m *share.Mesh) error {
		was, err := m.RemoveSkill(ctx, name)
		if err != nil {
			return err
		}
		if !was {
			return noSkill(name)
		}
		return o.changed(map[string]any{"ok": true, "name": name})
	})
}
