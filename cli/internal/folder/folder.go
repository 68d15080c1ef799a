package folder

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

const (
	// MaxFile is the size of the largest file that is shown: it must fit into a
	// frame in base64.
	MaxFile = 750 << 10
	// MaxEntries is how many names one list has at most.
	MaxEntries = 500
	// depth is how many levels of directories one list has.
	depth = 2
	// maxScan bounds how many names are looked at for one list.
	maxScan = 20_000
)

var (
	// ErrPath says that a path is none inside the directory.
	ErrPath = errors.New("folder: no such file is shared")
	// ErrTooLarge says that a file does not fit into a frame.
	ErrTooLarge = errors.New("folder: the file is too large")
	// ErrPattern says that a pattern is none.
	ErrPattern = errors.New("folder: the pattern is none")
)

// Folder is a directory that is shared.
type Folder struct {
	root *os.Root
	abs  string
}

// Open opens a directory to share.
func Open(dir string) (*Folder, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("folder: %w", err)
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, fmt.Errorf("folder: %w", err)
	}
	return &Folder{root, abs}, nil
}

// Close stops sharing.
func (f *Folder) Close() error { return f.root.Close() }

// inside returns the path of a name inside the directory. Existing clients also
// name files by absolute paths.
func (f *Folder) inside(asked string) (string, error) {
	if filepath.IsAbs(asked) {
		within, ok := strings.CutPrefix(filepath.Clean(asked)+"/", f.abs+"/")
		if !ok {
			return "", ErrPath
		}
		asked = strings.TrimSuffix(within, "/")
	}
	name := path.Clean(filepath.ToSlash(asked))
	if name == "." {
		return name, nil
	}
	for element := range strings.SplitSeq(filepath.ToSlash(asked), "/") {
		if element == ".." {
			return "", ErrPath
		}
	}
	so := ""
	for element := range strings.SplitSeq(name, "/") {
		so = path.Join(so, element)
		info, err := f.root.Lstat(so)
		if err != nil || hidden(element) || info.Mode()&fs.ModeSymlink != 0 {
			return "", ErrPath
		}
	}
	return name, nil
}

func hidden(name string) bool { return strings.HasPrefix(name, ".") }

// Read returns a file.
func (f *Folder) Read(asked string) ([]byte, error) {
	name, err := f.inside(asked)
	if err != nil {
		return nil, err
	}
	// Without O_NONBLOCK a pipe that takes the file's place now would hold us.
	file, err := f.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, ErrPath
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, ErrPath
	}
	data, err := io.ReadAll(io.LimitReader(file, MaxFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("folder: read: %w", err)
	case len(data) > MaxFile:
		return nil, fmt.Errorf("%w: %d KiB of at most %d", ErrTooLarge, info.Size()>>10, MaxFile>>10)
	}
	return data, nil
}

// List returns what is in a directory and in those directly below it, as paths
// inside the folder; those of directories end with a slash. A pattern, such as
// *.md, is what files' names have to match.
func (f *Folder) List(asked, pattern string) ([]string, error) {
	if _, err := path.Match(pattern, ""); err != nil {
		return nil, ErrPattern
	}
	top := "."
	if asked != "" {
		var err error
		if top, err = f.inside(asked); err != nil {
			return nil, err
		}
	}
	w := walk{folder: f, top: top, pattern: pattern}
	if err := fs.WalkDir(f.root.FS(), top, w.visit); err != nil {
		return nil, err
	}
	slices.Sort(w.found)
	return w.found, nil
}

type walk struct {
	folder       *Folder
	top, pattern string
	found        []string
	scanned      int
}

func (w *walk) visit(name string, d fs.DirEntry, err error) error {
	if name == w.top {
		if err != nil || !d.IsDir() {
			return ErrPath
		}
		return nil
	}
	w.scanned++
	switch {
	case w.scanned > maxScan || len(w.found) >= MaxEntries:
		return fs.SkipAll
	case err != nil || hidden(d.Name()):
		return skip(d)
	case d.IsDir():
		return w.directory(name)
	case !d.Type().IsRegular():
		return nil
	}
	if ok, _ := path.Match(w.pattern, d.Name()); ok || w.pattern == "" {
		w.found = append(w.found, name)
	}
	return nil
}

// directory lists a directory, and what is in it if that is not too deep.
func (w *walk) directory(name string) error {
	if w.pattern == "" {
		w.found = append(w.found, name+"/")
	}
	below := strings.Count(strings.TrimPrefix(strings.TrimPrefix(name, w.top), "/"), "/") + 1
	if below >= depth {
		return fs.SkipDir
	}
	return nil
}

// skip leaves out an entry, with what is in it.
func skip(d fs.DirEntry) error {
	if d != nil && d.IsDir() {
		return fs.SkipDir
	}
	return nil
}
