package command

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/claudemesh/claudemesh/cli/internal/claudecode"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"
)

const completionWhat = "completion"

// completionMark begins the scripts that we generate, after a shell's word.
var completionMark = []byte(" completion ")

// completionScript is what the shell is to read.
func completionScript(root *cobra.Command, shell string) ([]byte, error) {
	var b bytes.Buffer
	var err error
	switch shell {
	case "bash":
		err = root.GenBashCompletionV2(&b, true)
	case "fish":
		err = root.GenFishCompletion(&b, true)
	}
	return b.Bytes(), err
}

func (o *installOptions) installCompletion() ([]claudecode.Change, error) {
	shell, path, err := o.completionFile()
	if err != nil {
		return nil, err
	}
	if path == "" {
		if shell == "zsh" {
			o.out.Say(`for completion in zsh: claudemesh completion zsh > "${fpath[1]}/_claudemesh"`)
		}
		return nil, nil
	}
	script, err := completionScript(o.root, shell)
	if err != nil {
		return nil, err
	}
	change := claudecode.Change{Action: claudecode.Added, What: completionWhat + " " + shell, Path: path}
	switch now, err := os.ReadFile(path); {
	case err == nil && bytes.Equal(now, script):
		change.Action = claudecode.Kept
	case err == nil && !isCompletion(now):
		o.out.Say("%s is not ours; it was left as it is", path)
		return nil, nil
	case err == nil:
		change.Action = claudecode.Updated
	case !errors.Is(err, fs.ErrNotExist):
		return nil, ui.Failf("%v", err).Hinted("go without: --no-completion")
	}
	if o.dry || change.Action == claudecode.Kept {
		return []claudecode.Change{change}, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, ui.Failf("%v", err).Hinted("go without: --no-completion")
	}
	if err := renameio.WriteFile(path, script, 0o644, renameio.WithTempDir(filepath.Dir(path))); err != nil {
		return nil, ui.Failf("%v", err).Hinted("go without: --no-completion")
	}
	return []claudecode.Change{change}, nil
}

// isCompletion reports whether a file is a completion script of claudemesh.
func isCompletion(text []byte) bool {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return bytes.HasPrefix(line, []byte("#")) && bytes.Contains(line, completionMark) && bytes.Contains(line, []byte("claudemesh"))
}

func (a *app) removeCompletion(dry bool) ([]claudecode.Change, error) {
	var changes []claudecode.Change
	shell, path, err := a.completionFile()
	if err != nil || path == "" {
		return nil, err
	}
	now, err := os.ReadFile(path)
	if err != nil || !isCompletion(now) {
		return nil, nil // none of ours is there
	}
	changes = append(changes, claudecode.Change{Action: claudecode.Removed, What: completionWhat + " " + shell, Path: path})
	if dry {
		return changes, nil
	}
	if err := os.Remove(path); err != nil {
		return nil, ui.Failf("%v", err)
	}
	return changes, nil
}
