package claudecode

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// BackupSuffix ends the name under which the text of a file before our last
// change is kept.
const BackupSuffix = ".before-claudemesh"

// What happens to a file or an entry.
const (
	Added   = "add"
	Updated = "update"
	Removed = "remove"
	Kept    = "keep" // it is as it should be
)

// A Change is what was, or would be, done to one entry.
type Change struct {
	Action string `json:"action"`
	What   string `json:"what"`
	Path   string `json:"path"`
}

// document is a file that is to be edited.
type document struct {
	path   string // behind symbolic links
	mode   fs.FileMode
	before []byte
	text   []byte // {} if there is no file, or an empty one
}

// open reads a file that should be a JSON object.
func open(path string) (*document, error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	d := &document{path: path, mode: 0o600}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		d.text = []byte("{}\n")
		return d, nil
	}
	if err != nil {
		return nil, fmt.Errorf("claudecode: %w", err)
	}
	d.mode = info.Mode().Perm()
	if d.before, err = os.ReadFile(path); err != nil {
		return nil, fmt.Errorf("claudecode: %w", err)
	}
	d.text = d.before
	if len(bytes.TrimSpace(d.text)) == 0 {
		d.text = []byte("{}\n")
	}
	if !json.Valid(d.text) || d.text[blank(d.text, 0)] != '{' {
		return nil, fmt.Errorf("%w: %s is not a JSON object", ErrShape, path)
	}
	return d, nil
}

// save writes the file if it changed, and keeps what it was. A file that is
// left without content is removed: all that was in it was ours.
func (d *document) save() error {
	if bytes.Equal(d.before, d.text) || d.before == nil && d.empty() {
		return nil
	}
	if d.empty() {
		if err := os.Remove(d.path); err != nil {
			return fmt.Errorf("claudecode: %w", err)
		}
		return nil
	}
	if d.before != nil {
		if err := write(d.path+BackupSuffix, d.before, d.mode); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(d.path), 0o700); err != nil {
		return fmt.Errorf("claudecode: %w", err)
	}
	return write(d.path, d.text, d.mode)
}

func (d *document) empty() bool { return len(parts(d.text, blank(d.text, 0))) == 0 }

func write(path string, data []byte, mode fs.FileMode) error {
	err := renameio.WriteFile(path, data, mode, renameio.WithTempDir(filepath.Dir(path)), renameio.WithStaticPermissions(mode))
	if err != nil {
		return fmt.Errorf("claudecode: write %s: %w", path, err)
	}
	return nil
}
