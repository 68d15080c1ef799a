package command

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/identity"
	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"
)

type backupOptions struct {
	*app
	path       string
	passphrase string
}

func newBackup(a *app) *cobra.Command {
	o := &backupOptions{app: a}
	c := &cobra.Command{
		Use:   "backup [FILE]",
		Short: "Write your meshes and keys into a file under a passphrase",
		Long: "Write your meshes and keys into a file under a passphrase of at least 12 characters. Without FILE it is\n" +
			"claudemesh-backup-TIME.cmb in this directory. Whoever has the file and the passphrase is you.\n\n" +
			"Keys of sessions are not in it: a session on another machine is another one.",
		Args: atMost("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			o.path = "claudemesh-backup-" + time.Now().UTC().Format("20060102-150405") + ".cmb"
			if len(args) > 0 {
				o.path = args[0]
			}
			return o.run(c.Context())
		},
	}
	addPassphraseFlag(c, &o.passphrase)
	return c
}

func addPassphraseFlag(c *cobra.Command, path *string) {
	c.Flags().StringVar(path, "passphrase-file", "", "read the passphrase from this `PATH` instead of asking")
	_ = c.MarkFlagFilename("passphrase-file") // fails only for flags that are not there
}

type backupAnswer struct {
	Path   string `json:"path"`
	Meshes int    `json:"meshes"`
}

func (o *backupOptions) run(ctx context.Context) error {
	store, err := o.store()
	if err != nil {
		return err
	}
	config, err := store.Load() // a damaged one is not worth keeping
	if err != nil {
		return err
	}
	data, err := store.Raw()
	if err != nil {
		return err
	}
	if _, err := os.Lstat(o.path); err == nil {
		return ui.Failf("%s is there already", o.path).Hinted("name another file: claudemesh backup FILE")
	}
	passphrase, err := o.app.passphrase(ctx, o.passphrase, true)
	if err != nil {
		return err
	}
	sealed, err := seal.Backup(passphrase, data)
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(o.path, sealed, 0o600, renameio.WithStaticPermissions(0o600)); err != nil {
		return o.unwritten(err)
	}
	if o.out.JSON {
		return o.out.Answer(backupAnswer{Path: o.path, Meshes: len(config.Meshes)})
	}
	o.out.Say("keep it apart from the passphrase; claudemesh restore %s brings it back", o.path)
	return o.out.Line(o.path)
}

// unwritten names the file that was asked for, not the one that was to become it.
func (o *backupOptions) unwritten(err error) *ui.Failure {
	var at *os.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return ui.Failf("cannot write %s: %v", o.path, err).Hinted("name another file: claudemesh backup FILE")
}

type restoreOptions struct {
	*app
	passphrase string
}

func newRestore(a *app) *cobra.Command {
	o := &restoreOptions{app: a}
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: "Bring back what backup has written",
		Long: "Bring back what backup has written. It takes the place of the present meshes and keys, which stay beside it\n" +
			"as config.json.before-restore.TIME.",
		Args: exactly("FILE"),
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), args[0]) },
	}
	addPassphraseFlag(c, &o.passphrase)
	return c
}

type restoreAnswer struct {
	Meshes []string `json:"meshes"`
	Kept   string   `json:"kept,omitempty"` // what was there before
}

// maxBackup bounds a file that is taken for a backup.
const maxBackup = 16 << 20

func (o *restoreOptions) run(ctx context.Context, path string) error {
	store, err := o.store()
	if err != nil {
		return err
	}
	sealed, err := readBackup(path)
	if err != nil {
		return err
	}
	passphrase, err := o.app.passphrase(ctx, o.passphrase, false)
	if err != nil {
		return err
	}
	data, err := seal.OpenBackup(passphrase, sealed)
	switch {
	case errors.Is(err, seal.ErrNotForUs):
		return ui.Failf("the passphrase is not the one of this backup, or the file is damaged").Hinted("try again; nothing was changed")
	case err != nil:
		return ui.Failf("%s is no backup", path).Hinted("claudemesh backup writes one")
	}
	kept, err := store.Replace(data, time.Now())
	if errors.Is(err, identity.ErrCorrupt) {
		return ui.Failf("what is in %s is no configuration", path).Hinted("nothing was changed")
	}
	if err != nil {
		return err
	}
	return o.answer(store, kept)
}

func (o *restoreOptions) answer(store *identity.Store, kept string) error {
	config, err := store.Load()
	if err != nil {
		return err
	}
	answer := restoreAnswer{Meshes: []string{}, Kept: kept}
	for _, m := range config.Meshes {
		answer.Meshes = append(answer.Meshes, m.Slug)
	}
	if o.out.JSON {
		return o.out.Answer(answer)
	}
	if kept != "" {
		o.out.Say("what was there before is %s", kept)
	}
	for _, slug := range answer.Meshes {
		if err := o.out.Line(ui.CleanLine(slug)); err != nil {
			return err
		}
	}
	return nil
}

func readBackup(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ui.Failf("there is no file %s", path).Hinted("claudemesh backup writes one")
	}
	if err != nil {
		return nil, fileFailure(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxBackup))
	if err != nil {
		return nil, fileFailure(err)
	}
	return data, nil
}
