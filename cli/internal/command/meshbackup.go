package command

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

type meshBackupOptions struct {
	*app
	path string
}

func newMeshBackup(a *app) *cobra.Command {
	o := &meshBackupOptions{app: a}
	c := &cobra.Command{
		Use:   "backup [FILE]",
		Short: "Write what the broker knows of a mesh you own into a file",
		Long: "Write what the broker knows of a mesh you own into a file: members, bans, invites, grants and settings. It\n" +
			"holds no secret, neither keys nor messages, but names who belongs to the mesh. Your own keys are another\n" +
			"matter: claudemesh backup. Without FILE it is SLUG-registry-TIME.jsonl in this directory.",
		Example: "  claudemesh mesh backup acme.jsonl",
		Args:    atMost("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.path = args[0]
			}
			return o.run(c.Context())
		},
	}
	return c
}

type meshBackupAnswer struct {
	Path    string `json:"path"`
	Records int    `json:"records"`
}

func (o *meshBackupOptions) run(ctx context.Context) error {
	mesh, err := o.asOwner()
	if err != nil {
		return err
	}
	if o.path == "" {
		o.path = mesh.m.mesh.Slug + "-registry-" + time.Now().UTC().Format("20060102-150405") + ".jsonl"
	}
	var lines bytes.Buffer
	write := json.NewEncoder(&lines)
	write.SetEscapeHTML(false)
	answer := meshBackupAnswer{Path: o.path}
	for after := ""; ; {
		part, err := mesh.Backup(ctx, after)
		if err != nil {
			return err
		}
		if err := part.Check(mesh.ID); err != nil {
			return ui.Failf("the broker's backup is not what was expected: %s", plainWords(err))
		}
		if err := write.Encode(part); err != nil {
			return err
		}
		answer.Records += len(part.Records)
		if part.Next == "" || part.Next == after || lines.Len() > maxBackup {
			break
		}
		after = part.Next
	}
	if err := writeOwn(o.path, lines.Bytes()); err != nil {
		return err
	}
	if o.out.JSON {
		return o.out.Answer(answer)
	}
	o.out.Say("%d records; claudemesh mesh restore %s puts back what is missing", answer.Records, o.path)
	return o.out.Line(o.path)
}

type meshRestoreOptions struct {
	*app
	operator string
}

func newMeshRestore(a *app) *cobra.Command {
	o := &meshRestoreOptions{app: a}
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put back what a broker has lost of a mesh you own",
		Long: "Put back what a broker has lost of a mesh you own, from a file that mesh backup has written. What is there\n" +
			"stays as it is, so that doing it twice does no harm. It takes the owner's key, and the token of whoever runs\n" +
			"the broker.",
		Example: "  claudemesh mesh restore acme.jsonl --operator-token-file token",
		Args:    exactly("FILE"),
		RunE:    func(c *cobra.Command, args []string) error { return o.run(c.Context(), args[0]) },
	}
	addOperatorFlag(c, &o.operator)
	return c
}

type meshRestoreAnswer struct {
	MeshID  string `json:"meshId"`
	Records int    `json:"records"`
}

func (o *meshRestoreOptions) run(ctx context.Context, path string) error {
	mesh, err := o.asOwner()
	if err != nil {
		return err
	}
	data, err := readBackup(path)
	if err != nil {
		return err
	}
	var parts []wire.Backup
	for line := range bytes.Lines(data) {
		var part wire.Backup
		if json.Unmarshal(line, &part) != nil {
			return ui.Failf("%s is no backup of a mesh", path).Hinted("claudemesh mesh backup writes one; nothing was changed")
		}
		if err := part.Check(mesh.ID); err != nil {
			return ui.Failf("%s: %s", path, plainWords(err)).Hinted("choose its mesh with --mesh SLUG; nothing was changed")
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return ui.Failf("%s is empty", path).Hinted("nothing was changed")
	}
	if mesh.Operator, err = o.needsOperator(o.operator); err != nil {
		return err
	}
	answer := meshRestoreAnswer{MeshID: mesh.ID}
	for _, part := range parts {
		if err := mesh.Restore(ctx, &part); err != nil {
			return err
		}
		answer.Records += len(part.Records)
	}
	if o.out.JSON {
		return o.out.Answer(answer)
	}
	o.out.Say("%d records of %s are back where they were missing", answer.Records, mesh.m.mesh.Slug)
	return nil
}
