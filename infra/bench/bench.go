package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/infra/provision"
)

// Within bounds a whole run. What has not begun by then is left out, and the
// table says so.
const Within = 5 * time.Minute

// ErrSection says that there is no such section.
var ErrSection = errors.New("bench: no such section")

// Options says what to measure and how long.
type Options struct {
	// Bin is the directory that holds the programs edge and bench.
	Bin string

	// Sections names what to measure; empty means everything.
	Sections []string

	// Rounds is how often each figure is measured, and Round about how long it
	// takes once.
	Rounds int
	Round  time.Duration

	// Peers is how many peers are idle, listen to a broadcast or come back.
	Peers int

	Out io.Writer // the table
	Log io.Writer // what is under way
}

// A section measures figures that share a set-up.
type section struct {
	name string
	run  func(*bench, context.Context) ([]row, error)
}

var sections = []section{
	{"direct", (*bench).direct},
	{"latency", (*bench).latency},
	{"fanout", (*bench).fanout},
	{"idle", (*bench).idle},
	{"waiting", (*bench).waiting},
	{"storm", (*bench).storm},
	{"pair", (*bench).pair},
	{"growth", (*bench).growth},
}

// Sections names all sections.
func Sections() []string {
	names := make([]string, len(sections))
	for i, s := range sections {
		names[i] = s.name
	}
	return names
}

// bench is one run.
type bench struct {
	Options
	server string // the path of redis-server
	dir    string // for everything that is written
}

// Run measures and prints.
func Run(ctx context.Context, o Options) error {
	for _, name := range o.Sections {
		if !slices.Contains(Sections(), name) {
			return fmt.Errorf("%w: %q; there are %s", ErrSection, name, strings.Join(Sections(), ", "))
		}
	}
	server, err := provision.Ensure(ctx, o.Log)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	defer os.RemoveAll(dir)
	b := &bench{Options: o, server: server, dir: dir}
	b.Rounds, b.Peers = max(o.Rounds, 1), max(o.Peers, 2)
	ctx, cancel := context.WithTimeoutCause(ctx, Within, errLate)
	defer cancel()
	return b.all(ctx)
}

var errLate = fmt.Errorf("bench: a run takes no more than %v", Within)

// all runs the sections one after the other. One that fails does not take the
// others along.
func (b *bench) all(ctx context.Context) error {
	fmt.Fprintf(b.Out, "%d rounds of about %v on %d processors (%s/%s); median and range\n\n",
		b.Rounds, b.Round, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
	printHead(b.Out)
	var failed []error
	for _, s := range sections {
		if len(b.Sections) > 0 && !slices.Contains(b.Sections, s.name) {
			continue
		}
		began := time.Now()
		rows, err := s.run(b, ctx)
		for _, r := range rows {
			r.print(b.Out, s.name)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", s.name, err))
		}
		fmt.Fprintf(b.Log, "bench: %s took %.0f s\n", s.name, time.Since(began).Seconds())
		if ctx.Err() != nil {
			return errors.Join(append(failed, context.Cause(ctx))...)
		}
	}
	return errors.Join(failed...)
}

// rounds calls each of the measurements once in every round, by turns.
func (b *bench) rounds(measurements ...func(round int) error) error {
	for i := range b.Rounds {
		for _, m := range measurements {
			if err := m(i); err != nil {
				return err
			}
		}
	}
	return nil
}
