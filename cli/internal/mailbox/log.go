package mailbox

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/receipt"
	"github.com/google/renameio/v2"
)

// Growth after which a log is rewritten.
const (
	maxLines = 4096
	maxBytes = 8 << 20
)

// record is one line. One of Add, Shown and Told is set.
type record struct {
	Add   *item         `json:"add,omitempty"`
	Shown []string      `json:"shown,omitempty"`
	At    *time.Time    `json:"at,omitempty"` // of Shown
	Told  []string      `json:"told,omitempty"`
	State receipt.State `json:"state,omitempty"` // of Told
}

// file is what a log needs of one.
type file interface {
	io.WriteCloser
	Sync() error
}

// logFile appends lines.
type logFile struct {
	f     file
	lines int
	bytes int
	cut   bool // the last line is not whole: what follows it begins on a line of its own
}

func (l *logFile) append(r record, sync bool) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("mailbox: %w", err)
	}
	line = append(line, '\n')
	if l.cut {
		line = append([]byte{'\n'}, line...)
	}
	if _, err := l.f.Write(line); err != nil {
		l.cut = true
		return fmt.Errorf("mailbox: %w", err)
	}
	l.cut = false
	l.lines++
	l.bytes += len(line)
	if !sync {
		return nil
	}
	if err := l.f.Sync(); err != nil {
		return fmt.Errorf("mailbox: %w", err)
	}
	return nil
}

func (l *logFile) grown() bool { return l.lines > maxLines || l.bytes > maxBytes }

func (l *logFile) close() error {
	if err := l.f.Close(); err != nil {
		return fmt.Errorf("mailbox: %w", err)
	}
	return nil
}

// readLog replays a log. A last line that a crash cut off was never
// acknowledged to anybody, so it is left out.
func readLog(path string) ([]*item, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("mailbox: %w", err)
	}
	var items []*item
	index := make(map[string]*item)
	lines := bufio.NewReader(bytes.NewReader(data))
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return items, nil
		}
		var r record
		if json.Unmarshal(line, &r) != nil {
			continue
		}
		if r.Add != nil && index[r.Add.Key] == nil {
			items = append(items, r.Add)
			index[r.Add.Key] = r.Add
		}
		replay(index, r)
	}
}

func replay(index map[string]*item, r record) {
	for _, key := range r.Shown {
		if it := index[key]; it != nil {
			it.ShownAt, it.Text = r.At, ""
		}
	}
	for _, key := range r.Told {
		if it := index[key]; it != nil {
			it.Told = r.State
		}
	}
}

// rewriteLog writes what is known as a log of its own, in place of an old one.
func rewriteLog(path string, old *logFile, items []*item) (*logFile, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for it := range slices.Values(items) {
		if err := enc.Encode(record{Add: it}); err != nil {
			return nil, fmt.Errorf("mailbox: %w", err)
		}
	}
	err := renameio.WriteFile(path, b.Bytes(), 0o600, renameio.WithTempDir(filepath.Dir(path)), renameio.WithStaticPermissions(0o600))
	if err != nil {
		return nil, fmt.Errorf("mailbox: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("mailbox: %w", err)
	}
	if old != nil {
		if err := old.close(); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return &logFile{f: f}, nil
}
