package command

import (
	"context"
	"strings"

	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/spf13/cobra"
)

// A verdict is how a check ended.
type verdict string

const (
	fine   verdict = "ok"
	warned verdict = "warning" // it works, and could be better
	broken verdict = "failed"
)

// marks are what a person sees of a verdict.
var marks = map[verdict]string{fine: "✓", warned: "!", broken: "✗"}

// finding is one check's result.
type finding struct {
	Check   string  `json:"check"`
	Verdict verdict `json:"verdict"`
	Detail  string  `json:"detail"`
	Remedy  string  `json:"remedy,omitempty"`
	Mesh    string  `json:"mesh,omitempty"`
}

func newDoctor(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check everything, and say what to do where it does not work",
		Long: "Check that everything works, and say what to do where it does not: files and keys, the broker and the way\n" +
			"to it, membership, clocks, Claude Code. Without --mesh all meshes are checked.\n\n" +
			"✓ is fine, ! could be better, ✗ does not work: then the exit code is 1.",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.doctor(c.Context()) },
	}
}

type doctorAnswer struct {
	Healthy  bool      `json:"healthy"`
	Findings []finding `json:"findings"`
}

func (a *app) doctor(ctx context.Context) error {
	findings := a.examine(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx) // what failed then says nothing
	}
	answer := doctorAnswer{Healthy: true, Findings: findings}
	failed := 0
	for _, f := range findings {
		if f.Verdict == broken {
			failed++
			answer.Healthy = false
		}
	}
	if err := a.showFindings(answer); err != nil {
		return err
	}
	switch {
	case failed == 1:
		return ui.Failf("one check failed").Hinted("what helps stands beneath it")
	case failed > 1:
		return ui.Failf("%d checks failed", failed).Hinted("begin with the first; what helps stands beneath it")
	}
	return nil
}

// examine makes all checks. Those of a mesh need its entry in the config.
func (a *app) examine(ctx context.Context) []finding {
	defer a.out.Busy("examining")()
	findings, meshes := a.examineFiles()
	for _, m := range meshes {
		for _, f := range a.examineMesh(ctx, m) {
			f.Mesh = m.mesh.Slug
			findings = append(findings, f)
		}
	}
	return append(findings, a.examineClaude()...)
}

func (a *app) showFindings(answer doctorAnswer) error {
	if a.out.JSON {
		return a.out.Answer(answer)
	}
	if !a.out.Terminal() {
		var rows [][]string
		for _, f := range answer.Findings {
			rows = append(rows, []string{string(f.Verdict), f.Mesh, f.Check, ui.CleanLine(f.Detail), ui.CleanLine(f.Remedy)})
		}
		return a.out.Table(nil, rows)
	}
	width := 0
	for _, f := range answer.Findings {
		width = max(width, len(f.Check))
	}
	var b strings.Builder
	mesh := ""
	for _, f := range answer.Findings {
		if f.Mesh != mesh && f.Mesh != "" {
			b.WriteString("\n" + a.out.Bold(ui.CleanLine(f.Mesh)) + "\n")
		} else if f.Mesh != mesh {
			b.WriteString("\n")
		}
		mesh = f.Mesh
		b.WriteString(a.findingLines(f, width))
	}
	return a.out.Text(b.String())
}

// findingLines is one finding as a person reads it, its remedy beneath.
func (a *app) findingLines(f finding, width int) string {
	pad := strings.Repeat(" ", width-len(f.Check))
	line := "  " + a.out.Mark(string(f.Verdict), marks[f.Verdict]) + " " + f.Check + pad + "  " + a.out.Dim(ui.CleanLine(f.Detail)) + "\n"
	if f.Remedy != "" {
		line += "    " + strings.Repeat(" ", width) + "  → " + ui.CleanLine(f.Remedy) + "\n"
	}
	return line
}
