package command

import (
	"context"
	"strings"

	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

type taskOptions struct {
	sharing
	task     share.Task
	status   string
	assignee string
}

func newTask(a *app) *cobra.Command {
	o := &taskOptions{sharing: sharing{app: a}}
	c := &cobra.Command{
		Use:   "task",
		Short: "Share out work: one claims a task, the others see it",
		Long: "Share out work: one claims a task, the others see it. Of several who claim at once one gets it. A task whose\n" +
			"claimer has left is stale, and can be claimed again.\n\n" +
			"Titles, tags and results are sealed for the members of the mesh; assignee and priority are not. ID is the one\n" +
			"that list shows, or its first 4 characters or more.",
		Example: "  claudemesh task create \"Port the parser to v2\" --priority high\n  claudemesh task claim 3kPz",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	create := o.sub(&cobra.Command{
		Use: "create TITLE", Short: "Put a task before the mesh", Args: exactly("TITLE"),
		RunE: func(c *cobra.Command, args []string) error { return o.create(c.Context(), args[0]) },
	}, true)
	create.Flags().StringVar(&o.task.Assignee, "assignee", "", "the `NAME` of who should do it")
	create.Flags().StringVar(&o.task.Priority, "priority", "", "any `WORD`, such as high (default "+wire.TaskPriority+")")
	create.Flags().StringSliceVar(&o.task.Tags, "tag", nil, "a `WORD` to find it by (may be repeated)")
	list := o.sub(&cobra.Command{
		Use: "list", Short: "Show tasks, the newest first", Args: noArgs,
		Long: "Show tasks, the newest first, at most 100.",
		RunE: func(c *cobra.Command, _ []string) error { return o.list(c.Context()) },
	}, false)
	list.Flags().StringVar(&o.status, "status", "", "only those that are `open`, claimed or done")
	list.Flags().StringVar(&o.assignee, "assignee", "", "only those meant for `NAME`")
	c.AddCommand(create, list)
	c.AddCommand(o.newChanges()...)
	return c
}

// newChanges are the verbs that change a task.
func (o *taskOptions) newChanges() []*cobra.Command {
	return []*cobra.Command{
		o.sub(&cobra.Command{
			Use: "claim ID", Short: "Take a task", Args: exactly("ID"),
			RunE: func(c *cobra.Command, args []string) error {
				return o.change(c.Context(), args[0], (*share.Mesh).ClaimTask)
			},
		}, false),
		o.sub(&cobra.Command{
			Use: "release ID", Short: "Give a claimed task back", Args: exactly("ID"),
			RunE: func(c *cobra.Command, args []string) error {
				return o.change(c.Context(), args[0], (*share.Mesh).ReleaseTask)
			},
		}, false),
		o.sub(&cobra.Command{
			Use: "complete ID [RESULT]", Short: "Say that a task is done", Args: one("ID", "RESULT"),
			RunE: func(c *cobra.Command, args []string) error {
				return o.change(c.Context(), args[0], func(m *share.Mesh, ctx context.Context, id string) (share.Task, error) {
					return m.CompleteTask(ctx, id, strings.Join(args[1:], ""))
				})
			},
		}, true),
	}
}

func (o *taskOptions) create(ctx context.Context, title string) error {
	o.task.Title = title
	return o.shared(ctx, func(ctx context.Context, m *share.Mesh) error {
		id, err := m.CreateTask(ctx, o.task)
		if err != nil {
			return err
		}
		return o.wrote(m, map[string]any{"id": id, "sealed": !m.Clear}, id)
	})
}

func (o *taskOptions) list(ctx context.Context) error {
	status := wire.TaskStatus(o.status)
	if status != "" && !status.Valid() {
		return ui.Usagef("there is no status %q", o.status).Hinted("--status open, claimed or done")
	}
	return o.shared(ctx, func(ctx context.Context, m *share.Mesh) error {
		tasks, err := m.Tasks(ctx, status, o.assignee)
		if err != nil {
			return err
		}
		if o.out.JSON {
			return o.out.Answer(map[string]any{"tasks": tasks})
		}
		return o.tasks(tasks)
	})
}

func (o *taskOptions) tasks(tasks []share.Task) error {
	if o.out.Terminal() && len(tasks) > 0 {
		return o.glance(tasks)
	}
	var rows [][]string
	for i := range tasks {
		t := &tasks[i]
		rows = append(rows, []string{
			ui.CleanLine(t.ID), taskState(t), ui.CleanLine(t.Priority), ui.CleanLine(t.Assignee),
			ui.CleanLine(t.ClaimedBy), ui.CleanLine(t.By), ui.CleanLine(strings.Join(t.Tags, ", ")), clearWord(t.Origin),
			shown(t.Title, t.Origin), taskResult(t),
		})
	}
	header := []string{"ID", "STATUS", "PRIORITY", "FOR", "CLAIMED BY", "BY", "TAGS", "CLEAR", "TITLE", "RESULT"}
	return o.listed(header, rows, "there are no such tasks")
}

// glance is tasks for a person, who has less room than a program: what came of
// one stands behind its title.
func (o *taskOptions) glance(tasks []share.Task) error {
	var rows [][]string
	for i := range tasks {
		t := &tasks[i]
		who := ui.CleanLine(t.ClaimedBy)
		if who == "" && t.Assignee != "" {
			who = "(" + ui.CleanLine(t.Assignee) + ")"
		}
		title := shown(t.Title, t.Origin)
		if len(t.Tags) > 0 {
			title += " #" + strings.Join(strings.Fields(ui.CleanLine(strings.Join(t.Tags, " "))), " #")
		}
		if result := taskResult(t); result != "" {
			title += ": " + result
		}
		rows = append(rows, []string{
			o.brief(t.ID), taskState(t), o.usual(ui.CleanLine(t.Priority), wire.TaskPriority), ui.CleanLine(t.By), who,
			clearWord(t.Origin), title,
		})
	}
	return o.table([]string{"ID", "STATUS", "PRIORITY", "BY", "WHO", "CLEAR", "TASK"}, rows)
}

func taskState(t *share.Task) string {
	if t.Stale {
		return "stale"
	}
	return ui.CleanLine(string(t.Status))
}

func taskResult(t *share.Task) string {
	if t.ResultOrigin == nil {
		return ""
	}
	return shown(t.Result, *t.ResultOrigin)
}

// change does something with the task that a beginning of an id names.
func (o *taskOptions) change(
	ctx context.Context, typed string, f func(*share.Mesh, context.Context, string) (share.Task, error),
) error {
	return o.shared(ctx, func(ctx context.Context, m *share.Mesh) error {
		id, err := taskID(ctx, m, typed)
		if err != nil {
			return err
		}
		t, err := f(m, ctx, id)
		if err != nil {
			return err
		}
		if o.out.JSON {
			return o.out.Answer(t)
		}
		return o.tasks([]share.Task{t})
	})
}

// wholeID is the length of ids that need not be looked for.
const wholeID = 22

func taskID(ctx context.Context, m *share.Mesh, typed string) (string, error) {
	if len(typed) >= wholeID {
		return typed, nil
	}
	tasks, err := m.Tasks(ctx, "", "")
	if err != nil {
		return "", err
	}
	var ids []string
	for i := range tasks {
		ids = append(ids, tasks[i].ID)
	}
	return byPrefix(typed, ids, "task", "claudemesh task list")
}
